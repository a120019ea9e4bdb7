//! The farm page: one file with its style and its script, which only this very answer may run.
//! It never names anything that a browser would fetch from elsewhere.

use std::hash::{BuildHasher, RandomState};

use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::{self, Body};

const HEAD: &str = include_str!("../dashboard/head.html");
const STYLE: &str = include_str!("../dashboard/farm.css");
const BODY: &str = include_str!("../dashboard/body.html");
const SCRIPT: &str = include_str!("../dashboard/farm.js");

/// The page. Only what carries the number that its header names is style and script: if a client's
/// name for a file ever got into it as markup, it would do nothing.
pub fn page() -> Response<Body> {
    let nonce = nonce();
    let text = format!(
        "{HEAD}<style nonce=\"{nonce}\">\n{STYLE}</style>\n{BODY}<script nonce=\"{nonce}\">\n{SCRIPT}</script>\n"
    );
    let mut answer = answer::with(StatusCode::OK, "text/html; charset=utf-8", text);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        let headers = answer.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// Nobody can guess it: the standard library keys its hashes with the system's random numbers.
fn nonce() -> String {
    let random = || RandomState::new().hash_one("nonce");
    format!("{:016x}{:016x}", random(), random())
}
