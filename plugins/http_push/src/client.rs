//! One request, and what its answer means.

use std::error::Error as _;
use std::time::{Duration, SystemTime};

use busbar::config::Secret;
use busbar::{Error, Result, ResultExt, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::body::Body;
use crate::json;
use crate::retry::retry_after;
use crate::settings::{Compression, Method, Settings};
use crate::tls;

/// An answer that is longer is not read to its end, and its connection not used again.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Characters of a refusal's body that are quoted.
const QUOTED: usize = 120;
/// Servers commonly close connections that were unused for a minute or more.
const IDLE: Duration = Duration::from_secs(30);

/// What came of a request.
pub enum Answer {
    /// 2xx
    Accepted,
    /// 413
    TooLarge(String),
    /// A status that blames the events.
    Rejected(String),
    /// Anything else: it may go better later.
    Failed(Failure),
}

/// Why a request failed without the events being at fault.
pub struct Failure {
    pub message: String,
    /// What the endpoint asked to wait.
    pub retry_after: Option<Duration>,
    pub timed_out: bool,
}

/// Makes requests to one endpoint.
pub struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    method: http::Method,
    uri: Uri,
    /// The address without its query, which may hold secrets.
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
    reject: Vec<u16>,
    max_retry_after: Duration,
}

impl Client {
    /// Reads what the settings say about the endpoint, and the certificates they name. Connects to nothing.
    pub fn new(settings: &Settings) -> Result<Self> {
        let uri = endpoint(&settings.url)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(settings, uri.scheme_str() == Some("https"))?)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let method = match settings.method {
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Patch => http::Method::PATCH,
        };
        let shown = uri.to_string();
        Ok(Self {
            http,
            method,
            shown: shown.split('?').next().unwrap_or_default().into(),
            uri,
            headers: headers(settings)?,
            timeout: settings.timeout,
            reject: settings.reject_statuses.clone(),
            max_retry_after: settings.max_retry_after,
        })
    }

    /// Sends a body, and gives the status, if there was an answer, with what it means.
    pub async fn send(&self, body: &Body, more: HeaderMap) -> (Option<StatusCode>, Answer) {
        let mut request = Request::new(Full::new(body.bytes.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type));
        request.headers_mut().extend(self.headers.clone());
        request.headers_mut().extend(more);
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Err(_) => (None, self.failed(format!("no answer within {:?}", self.timeout), true)),
            Ok(Err(error)) => (None, self.failed(chain(&error), false)),
            Ok(Ok((response, text))) => (Some(response.status()), self.judge(&response, &text)),
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<()>, String), legacy::Error> {
        let (parts, body) = self.http.request(request).await?.into_parts();
        Ok((Response::from_parts(parts, ()), read(body).await))
    }

    fn judge(&self, response: &Response<()>, text: &str) -> Answer {
        let status = response.status();
        if status.is_success() {
            return Answer::Accepted;
        }
        let quoted: String = text
            .trim()
            .chars()
            .take(QUOTED)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let reason = if quoted.is_empty() { String::new() } else { format!(": {quoted}") };
        let message = format!("{} answered {}{reason}", self.shown, status.as_u16());
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Answer::TooLarge(message);
        }
        if self.reject.contains(&status.as_u16()) {
            return Answer::Rejected(message);
        }
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|value| retry_after(value, SystemTime::now()));
        let timed_out =
            status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::GATEWAY_TIMEOUT;
        Answer::Failed(Failure {
            message,
            retry_after: asked.map(|wait| wait.min(self.max_retry_after)),
            timed_out,
        })
    }

    fn failed(&self, reason: String, timed_out: bool) -> Answer {
        let message = format!("Cannot send to {}: {reason}", self.shown);
        Answer::Failed(Failure { message, retry_after: None, timed_out })
    }
}

/// The body as text. One that breaks off or is too long changes nothing of what the status says.
async fn read(body: Incoming) -> String {
    match Limited::new(body, LONGEST_ANSWER).collect().await {
        Ok(collected) => String::from_utf8_lossy(&collected.to_bytes()).into_owned(),
        Err(_) => String::new(),
    }
}

fn chain(error: &legacy::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn endpoint(url: &str) -> Result<Uri> {
    let uri: Uri = url.parse().explain(|| format!("Cannot use url \"{url}\""))?;
    let scheme = uri.scheme_str();
    if scheme != Some("http") && scheme != Some("https") || uri.host().is_none_or(str::is_empty) {
        bail!("Cannot use url \"{url}\": it must begin with http:// or https:// and a host");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        bail!(
            "Cannot use a url with a user in it, since it is shown in messages: use username and password"
        );
    }
    Ok(uri)
}

fn headers(settings: &Settings) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("busbar-http-push/", env!("CARGO_PKG_VERSION"))),
    );
    if settings.compression == Compression::Gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(media_type) = &settings.content_type {
        headers.insert(CONTENT_TYPE, value("content_type", media_type)?);
    }
    if let Some(authorization) = authorization(settings)? {
        headers.insert(AUTHORIZATION, secret("the authorization", &authorization)?);
    }
    for (key, text) in &settings.headers {
        headers.insert(name(key)?, value(key, text)?);
    }
    for (key, text) in &settings.secret_headers {
        headers.insert(name(key)?, secret(key, text.reveal())?);
    }
    Ok(headers)
}

fn authorization(settings: &Settings) -> Result<Option<String>> {
    match (&settings.bearer_token, &settings.username, &settings.password) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(format!("Bearer {}", token.reveal()))),
        (None, Some(user), password) => {
            let password = password.as_ref().map_or("", Secret::reveal);
            let mut encoded = Vec::new();
            json::base64(&mut encoded, format!("{user}:{password}").as_bytes());
            Ok(Some(format!("Basic {}", String::from_utf8_lossy(&encoded))))
        }
        (None, None, Some(_)) => bail!("Cannot use password without username"),
        (Some(_), ..) => bail!(
            "Cannot use bearer_token together with username or password: an endpoint wants one of them"
        ),
    }
}

fn name(text: &str) -> Result<HeaderName> {
    text.parse().explain(|| format!("Cannot use the header \"{text}\""))
}

fn value(name: &str, text: &str) -> Result<HeaderValue> {
    text.parse().explain(|| format!("Cannot use the value of \"{name}\""))
}

fn secret(name: &str, text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::failed(format!(
            "Cannot use the value of {name}: it has characters that no header may have"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
