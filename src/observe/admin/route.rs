//! Which path means what.
//! It never waits: an answer is made at once or follows by itself.

use core::convert::Infallible;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::ACCEPT;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use super::answer::{self, Body, TEXT};
use super::door::Door;
use super::events;
use super::hub::{Hub, json};
use super::page;
use crate::clock;
use crate::limits::{ADMIN_STREAMS, LIVE_WITHIN};
use crate::observe::health::Health;
use crate::observe::metrics::{Metrics, classic};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What answers are made of.
#[derive(Debug)]
pub struct Desk {
    health: Arc<Health>,
    metrics: Metrics,
    hub: Arc<Hub>,
    seats: Arc<Semaphore>,
}

impl Desk {
    #[must_use]
    pub fn new(health: Arc<Health>, metrics: Metrics, hub: Hub) -> Self {
        Self {
            health,
            metrics,
            hub: Arc::new(hub),
            seats: Arc::new(Semaphore::new(ADMIN_STREAMS)),
        }
    }

    /// The runtime is up.
    pub(super) fn begin(&self) {
        tokio::spawn(Arc::clone(&self.hub).watch());
    }

    pub(super) fn answer(
        &self,
        door: &Door,
        request: &Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(self.respond(door, request))
    }

    fn respond(&self, door: &Door, request: &Request<Incoming>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return answer::only_get();
        }
        // Load balancers and the kubelet know no token, and learn nothing but yes or no.
        match request.uri().path() {
            "/livez" => return self.livez(),
            "/readyz" => return self.readyz(),
            _ => {}
        }
        if let Err(stranger) = door.judge(request.headers()) {
            return answer::turned_away(stranger);
        }
        match request.uri().path() {
            "/" => page::page(),
            "/metrics" => self.metrics(request.headers()),
            "/events" => self.events(request.method()),
            "/machine" => self.machine(request.uri().query()),
            _ => answer::with(
                StatusCode::NOT_FOUND,
                TEXT,
                "There are /, /metrics, /livez and /readyz.\n",
            ),
        }
    }

    fn livez(&self) -> Response<Body> {
        match self.health.turned_within(LIVE_WITHIN, clock::now()) {
            Ok(()) => answer::with(StatusCode::OK, TEXT, "live\n"),
            Err(frozen) => {
                answer::with(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{frozen}\n"))
            }
        }
    }

    fn readyz(&self) -> Response<Body> {
        if self.health.is_draining() {
            answer::with(StatusCode::SERVICE_UNAVAILABLE, TEXT, "draining\n")
        } else {
            answer::with(StatusCode::OK, TEXT, "ready\n")
        }
    }

    fn events(&self, method: &Method) -> Response<Body> {
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        match (seat, method) {
            (Ok(_), &Method::HEAD) => answer::with(StatusCode::OK, EVENTS, ""),
            (Ok(seat), _) => answer::stream(EVENTS, events::stream(Arc::clone(&self.hub), seat)),
            (Err(_), _) => answer::with(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                "Too many watch the farm already.\n",
            ),
        }
    }

    /// `/machine?ID`
    fn machine(&self, id: Option<&str>) -> Response<Body> {
        let id = id.and_then(|id| id.parse().ok());
        match id.and_then(|id| self.hub.detail(id)) {
            Some(detail) => answer::with(StatusCode::OK, JSON, json(&detail)),
            None => answer::with(StatusCode::NOT_FOUND, TEXT, "There is no such machine.\n"),
        }
    }

    fn metrics(&self, headers: &HeaderMap) -> Response<Body> {
        let page = self.metrics.page();
        if wants_openmetrics(headers) {
            answer::with(StatusCode::OK, OPENMETRICS, page)
        } else {
            answer::with(StatusCode::OK, CLASSIC, classic(&page))
        }
    }
}

fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/openmetrics-text"))
}
