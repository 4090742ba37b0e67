//! The endpoint as all requests see it together: how many are under way, how large they may be, whether it is up.

use std::pin::pin;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use busbar::{Context, Record, Result};
use futures_util::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;

use crate::body::{Body, Layout};
use crate::client::{Answer, Client};
use crate::retry::Backoff;
use crate::settings::Settings;
use crate::size::{Extent, Size};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What came of one request: how many of the events it held, and what became of them.
pub struct Sent {
    pub events: usize,
    pub outcome: Outcome,
}

/// What became of the events of a request.
pub enum Outcome {
    Accepted,
    /// Because of their content or size; alone each may fare better.
    Refused(String),
    /// Not their fault: to be sent again, no sooner than after the wait.
    Failed {
        message: String,
        wait: Duration,
    },
}

/// Where events are pushed to.
pub struct Endpoint {
    context: Context,
    client: Client,
    pub layout: Layout,
    size: Size,
    backoff: Backoff,
    attempts: u32,
    permits: Semaphore,
    idempotency_key: bool,
    /// When it asked to be left alone until.
    quiet_until: Mutex<Option<Instant>>,
    /// Why the last request failed, until one is answered.
    trouble: Mutex<Option<String>>,
}

impl Endpoint {
    /// Takes nothing exclusive, and connects to nothing.
    pub fn new(context: &Context, settings: &Settings) -> Result<Self> {
        let max = Extent {
            events: settings.max_events,
            bytes: usize::try_from(settings.max_bytes.bytes())?,
        };
        Ok(Self {
            context: context.clone(),
            client: Client::new(settings)?,
            layout: Layout::new(settings),
            size: Size::new(max, settings.target_latency),
            backoff: Backoff {
                initial: settings.backoff_initial,
                max: settings.backoff_max,
                jitter: settings.backoff_jitter,
            },
            attempts: settings.attempts,
            permits: Semaphore::new(settings.concurrency),
            idempotency_key: settings.idempotency_key,
            quiet_until: Mutex::new(None),
            trouble: Mutex::new(None),
        })
    }

    /// What keeps it from taking events, if anything.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap().clone()
    }

    /// How often a request is made while the endpoint fails, until the host decides.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Most events that the next request may hold.
    pub fn limit_events(&self) -> usize {
        self.layout.most_events(self.size.limits())
    }

    /// Sends the first of the events, as many as one request may hold. `attempt` counts from 1.
    pub async fn send(&self, records: &[&Record<'_>], attempt: u32) -> Sent {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        if !self.is_welcome().await {
            let message = "Cannot send now: the reaction stops".into();
            return Sent { events: 0, outcome: Outcome::Failed { message, wait: Duration::ZERO } };
        }
        let body = self.layout.body(records, self.size.limits());
        let events = body.extent.events;
        let headers = self.headers(&records[..events], &body);
        let began = Instant::now();
        let (status, answer) = self.client.send(&body, headers).await;
        let took = began.elapsed();
        self.measure(&body, status.map(|status| status.as_u16()), took);
        let outcome = match answer {
            Answer::Accepted => {
                self.is_up();
                self.size.answered(body.extent, took);
                self.context.counter("events_total", events as u64);
                Outcome::Accepted
            }
            Answer::TooLarge(message) => {
                self.is_up();
                self.size.too_large(body.extent);
                Outcome::Refused(message)
            }
            Answer::Rejected(message) => {
                self.is_up();
                Outcome::Refused(message)
            }
            Answer::Failed(failure) => {
                self.is_down(&failure.message);
                if failure.timed_out {
                    self.size.timed_out(body.extent);
                }
                if let Some(wait) = failure.retry_after {
                    self.be_quiet(wait);
                }
                let wait = self.backoff.wait(attempt, fastrand::f64());
                Outcome::Failed { message: failure.message, wait }
            }
        };
        self.show_limits();
        Sent { events, outcome }
    }

    fn is_up(&self) {
        if self.trouble.lock().unwrap().take().is_some() {
            self.context.info("The endpoint answers again");
        }
    }

    fn is_down(&self, message: &str) {
        if self.trouble.lock().unwrap().replace(message.into()).is_none() {
            self.context.warn(format!("{message}; the events are sent again until they are taken"));
        }
    }

    fn be_quiet(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut quiet = self.quiet_until.lock().unwrap();
        *quiet = Some(quiet.map_or(until, |before| before.max(until)));
    }

    /// Waits until the endpoint is not to be left alone any more; false when there is no time for it, since the reaction stops.
    async fn is_welcome(&self) -> bool {
        loop {
            let quiet = *self.quiet_until.lock().unwrap();
            match quiet.and_then(|until| until.checked_duration_since(Instant::now())) {
                Some(wait) if !wait.is_zero() => {
                    if !self.pause(wait).await {
                        return false;
                    }
                }
                _ => return true,
            }
        }
    }

    /// Waits; false, and at once, when the reaction stops.
    pub async fn pause(&self, wait: Duration) -> bool {
        let stopping = pin!(self.context.stopping());
        let waiting = pin!(tokio::time::sleep(wait));
        matches!(select(stopping, waiting).await, Either::Right(_))
    }

    fn headers(&self, records: &[&Record<'_>], body: &Body) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(key) = self.idempotency_key.then(|| self.key_of(records, body)).flatten() {
            headers.insert(IDEMPOTENCY_KEY.clone(), key);
        }
        if let Some(parent) = common_traceparent(records) {
            headers.insert(TRACEPARENT.clone(), parent);
        }
        headers
    }

    /// Names pipeline, component, first and last event, and the content. Events that stem from no single one have no number to tell
    /// them from others of the same content, so there is no key then.
    fn key_of(&self, records: &[&Record<'_>], body: &Body) -> Option<HeaderValue> {
        if records.iter().any(|record| record.sequence() == 0) {
            return None;
        }
        let (first, last) = (records.first()?, records.last()?);
        let context = &self.context;
        let partition = match context.partition() {
            (_, 1) => String::new(),
            (index, _) => format!(".{index}"),
        };
        let key = format!(
            "{}.{}{partition}-{}.{}-{}.{}-{:016x}",
            context.pipeline_id(),
            context.component_id(),
            first.source(),
            first.sequence(),
            last.source(),
            last.sequence(),
            body.hash
        );
        HeaderValue::from_str(&key).ok()
    }

    fn measure(&self, body: &Body, status: Option<u16>, took: Duration) {
        let context = &self.context;
        context.counter("requests_total", 1);
        context.counter(
            match status {
                Some(200..=299) => "responses_2xx_total",
                Some(300..=399) => "responses_3xx_total",
                Some(400..=499) => "responses_4xx_total",
                Some(500..=599) => "responses_5xx_total",
                Some(_) => "responses_other_total",
                None => "request_errors_total",
            },
            1,
        );
        context.counter("body_bytes_total", body.extent.bytes as u64);
        context.counter("sent_bytes_total", body.bytes.len() as u64);
        context.histogram("request_seconds", took.as_secs_f64());
    }

    fn show_limits(&self) {
        let limits = self.size.limits();
        self.context.gauge("limit_events", limits.events as f64);
        self.context.gauge("limit_bytes", limits.bytes as f64);
    }
}

/// The trace that all events belong to, if it is one.
fn common_traceparent(records: &[&Record<'_>]) -> Option<HeaderValue> {
    let parent = records.first()?.attribute("traceparent")?;
    let same = records.iter().all(|record| record.attribute("traceparent") == Some(parent));
    if same { HeaderValue::from_bytes(parent).ok() } else { None }
}
