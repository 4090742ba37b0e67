//! Whom connections trust, and whom they show themselves as.

use std::path::Path;
use std::sync::Arc;

use busbar::{Error, Result, ResultExt, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::settings::Settings;

/// The TLS side of the settings; reads the files that they name. The system's authorities are read only where TLS is `used`.
pub fn client_config(settings: &Settings, used: bool) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = if settings.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    } else {
        builder.with_root_certificates(authorities(settings.ca_file.as_deref(), used)?)
    };
    match (&settings.client_certificate_file, &settings.client_key_file) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let parsed = PrivateKeyDer::from_pem_file(key);
            let parsed = parsed.explain(|| format!("Cannot read client_key_file {key:?}"))?;
            let config = builder.with_client_auth_cert(certificates(certificate)?, parsed);
            config.explain(|| {
                format!("Cannot use the certificate {certificate:?} with the key {key:?}")
            })
        }
        _ => bail!(
            "Cannot use a client certificate without its key: set both client_certificate_file and client_key_file"
        ),
    }
}

fn authorities(file: Option<&Path>, used: bool) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        if used {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        return Ok(store);
    };
    for certificate in certificates(file)? {
        store.add(certificate).explain(|| format!("Cannot use a certificate of {file:?}"))?;
    }
    Ok(store)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.explain(|| format!("Cannot read certificates from {file:?}"))?;
    if found.is_empty() {
        return Err(Error::failed(format!(
            "Cannot read certificates from {file:?}: there are none in it"
        )));
    }
    Ok(found)
}

/// Checks no certificate, only that the endpoint holds the key of the one it shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
