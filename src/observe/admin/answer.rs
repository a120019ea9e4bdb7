//! Answers of the admin port: bodies, and the headers that go with all of them.
//! It never knows what was asked.

use http_body_util::{Channel, Either, Full};
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

use super::door::Stranger;

/// A whole answer, or one that goes on.
pub type Body = Either<Full<Bytes>, Channel<Bytes>>;

pub const TEXT: &str = "text/plain; charset=utf-8";

/// What is no page runs nothing, whatever a browser takes it for.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

pub fn with(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    finish(status, kind, Either::Left(Full::new(body.into())))
}

/// An answer whose parts follow as they come up.
pub fn stream(kind: &'static str, body: Channel<Bytes>) -> Response<Body> {
    finish(StatusCode::OK, kind, Either::Right(body))
}

pub fn turned_away(stranger: Stranger) -> Response<Body> {
    match stranger {
        Stranger::Misled => with(
            StatusCode::MISDIRECTED_REQUEST,
            TEXT,
            "Ask for this server by its address or as localhost.\n",
        ),
        Stranger::Unknown => {
            let says = "The admin token is needed: as a bearer token, or as the password.\n";
            let dialog = "Basic realm=\"ringboot\", charset=\"UTF-8\"";
            let answer = with(StatusCode::UNAUTHORIZED, TEXT, says);
            adding(answer, WWW_AUTHENTICATE, dialog)
        }
    }
}

pub fn only_get() -> Response<Body> {
    let says = "Only GET is answered.\n";
    let answer = with(StatusCode::METHOD_NOT_ALLOWED, TEXT, says);
    adding(answer, ALLOW, "GET, HEAD")
}

fn adding(mut answer: Response<Body>, name: HeaderName, value: &'static str) -> Response<Body> {
    let value = HeaderValue::from_static(value);
    answer.headers_mut().insert(name, value);
    answer
}

fn finish(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let fixed: [(HeaderName, &'static str); 5] = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    fixed.into_iter().fold(response, |answer, (name, value)| {
        adding(answer, name, value)
    })
}
