//! The settings of the reaction, as the configuration gives them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use busbar::Config;
use busbar::config::{Secret, Size};

/// Settings of `push`.
#[derive(Config, Debug)]
pub struct Settings {
    /// Where requests go, http:// or https://
    #[config(pattern = "^https?://.")]
    pub url: String,
    /// Method of the requests
    #[config(default = "POST")]
    pub method: Method,
    /// How events stand in a body. ndjson: a JSON value a line; json_array: one array; lines: each payload as it is, then a line end; raw: one event a request
    #[config(default = "ndjson")]
    pub format: Format,
    /// In ndjson and json_array, an object for each event with sequence, source, timestamp, operation, key, attributes and payload, not the payload alone
    #[config(default = false)]
    pub envelope: bool,
    /// The Content-Type header; by default what the format says, for raw what the event is
    pub content_type: Option<String>,
    /// How bodies are compressed
    #[config(default = "none")]
    pub compression: Compression,
    /// More headers
    #[config(default)]
    pub headers: BTreeMap<String, String>,
    /// More headers, whose values are shown nowhere
    #[config(default)]
    pub secret_headers: BTreeMap<String, Secret>,
    /// Sent as Authorization: Bearer …
    pub bearer_token: Option<Secret>,
    /// User of HTTP basic authentication
    pub username: Option<String>,
    /// Password of HTTP basic authentication
    pub password: Option<Secret>,
    /// Send an Idempotency-Key header, which is the same whenever the same events are sent again in one request
    #[config(default = true)]
    pub idempotency_key: bool,
    /// Longest time from the begin of a request to the end of its answer
    #[config(default = "30s", min = "1ms")]
    pub timeout: Duration,
    /// Longest time until a connection is there
    #[config(default = "10s", min = "1ms")]
    pub connect_timeout: Duration,
    /// Requests under way at once
    #[config(default = 1, min = 1, max = 64)]
    pub concurrency: usize,
    /// With a concurrency above 1: events of the same key stay in order. With 1 all events do
    #[config(default = true)]
    pub keep_key_order: bool,
    /// Answers that say that the events are at fault, besides 413
    #[config(default = [400, 415, 422])]
    pub reject_statuses: Vec<u16>,
    /// Most events in one request
    #[config(default = 1000, min = 1)]
    pub max_events: usize,
    /// Most bytes in the body of one request, before compression, unless one event alone is larger
    #[config(default = "1MiB", min = "1B")]
    pub max_bytes: Size,
    /// Answers that take longer make the requests after them smaller
    #[config(default = "5s", min = "1ms")]
    pub target_latency: Duration,
    /// Attempts at a request until the pipeline's own retry settings decide
    #[config(default = 5, min = 1)]
    pub attempts: u32,
    /// Wait before the second attempt; it doubles with each
    #[config(default = "200ms")]
    pub backoff_initial: Duration,
    /// Longest such wait
    #[config(default = "30s")]
    pub backoff_max: Duration,
    /// Part of each wait that is left to chance
    #[config(default = 0.2, min = 0, max = 1)]
    pub backoff_jitter: f64,
    /// Longest wait that a Retry-After header of the endpoint is granted
    #[config(default = "5m")]
    pub max_retry_after: Duration,
    /// Longest time that a stop waits for requests under way; keep it below cells.timeouts.stop
    #[config(default = "5s")]
    pub stop_timeout: Duration,
    /// PEM file of the authorities that may have signed the endpoint's certificate, instead of the system's
    pub ca_file: Option<PathBuf>,
    /// PEM file of a certificate to show to the endpoint, with its chain
    pub client_certificate_file: Option<PathBuf>,
    /// PEM file of that certificate's private key
    pub client_key_file: Option<PathBuf>,
    /// Take any certificate: anybody in between can read and change what is sent. For tests only
    #[config(default = false)]
    pub insecure: bool,
}

/// Method of the requests.
#[derive(Config, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    #[config(rename = "POST")]
    Post,
    #[config(rename = "PUT")]
    Put,
    #[config(rename = "PATCH")]
    Patch,
}

/// How events stand in a body.
#[derive(Config, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Ndjson,
    JsonArray,
    Lines,
    Raw,
}

/// How bodies are compressed.
#[derive(Config, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
}
