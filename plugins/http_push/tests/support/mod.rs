//! A small HTTP server on a port of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A file of the certificates that tests use.
pub fn certificate(name: &str) -> String {
    format!("{}/../../tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub head: String,
    pub body: String,
}

impl Request {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

/// Answers each request with a status, and keeps it with what it answered.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<(Request, u16)>>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> u16 + Send + Sync + 'static) -> Self {
        Self::on("http", |stream| stream, answer)
    }

    /// Talks TLS, and only with those whose certificate the authority of the tests has signed.
    pub fn start_tls(answer: impl Fn(&Request) -> u16 + Send + Sync + 'static) -> Self {
        let config = Arc::new(tls_config());
        let accept =
            move |stream| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        Self::on("https", accept, answer)
    }

    fn on<S: Read + Write + 'static>(
        scheme: &str,
        accept: impl Fn(TcpStream) -> S + Send + Sync + 'static,
        answer: impl Fn(&Request) -> u16 + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}/events", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let (accept, answer) = (Arc::new(accept), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, accept, answer) = (kept.clone(), accept.clone(), answer.clone());
                thread::spawn(move || serve(accept(stream), &kept, &*answer));
            }
        });
        Self { url, requests }
    }

    /// All requests so far, in the order of their answers.
    pub fn requests(&self) -> Vec<(Request, u16)> {
        self.requests.lock().unwrap().clone()
    }

    /// The bodies that were taken.
    pub fn accepted(&self) -> Vec<String> {
        let taken = self.requests().into_iter().filter(|(_, status)| *status == 200);
        taken.map(|(request, _)| request.body).collect()
    }
}

fn serve(
    stream: impl Read + Write,
    kept: &Mutex<Vec<(Request, u16)>>,
    answer: &dyn Fn(&Request) -> u16,
) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let status = answer(&request);
        // Noted before it is sent, so that whoever has the answer finds it.
        kept.lock().unwrap().push((request, status));
        let text = format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\n\r\n");
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut request = Request { head, body: String::new() };
    let length = request.header("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

fn tls_config() -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let read = |name: &str| CertificateDer::from_pem_file(certificate(name)).unwrap();
    let mut authorities = RootCertStore::empty();
    authorities.add(read("authority.pem")).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(authorities.into(), provider.clone());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![read("server.pem")],
            PrivateKeyDer::from_pem_file(certificate("server.key")).unwrap(),
        )
        .unwrap()
}
