//! Requests as the standard wants them: each with an id of its own, the digest of its body, and the operator's signature over both.

use consentry_sdk::contract::random;
use consentry_sdk::prelude::*;

/// The digest of no body, in base64.
const NOTHING: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// The operator's certificate for TLS, for banks that want one.
const TLS: &str = "tls";

/// Who we are to a bank.
pub struct Bank {
    key: Secret,
    key_id: Secret,
    certificate: Secret,
    /// Where the person is, while the person is there.
    address: Option<Secret>,
    /// Whether the operator has a certificate for TLS.
    tls: bool,
}

impl Bank {
    /// As the operator has set it.
    pub fn new() -> Result<Self> {
        let operator = |name: &str| {
            credentials::operator(name)
                .ok_or_else(|| Code::Unclassified.fault(format!("the operator has not set {name}")))
        };
        Ok(Self {
            key: operator("signing-key")?,
            key_id: operator("key-id")?,
            certificate: operator("certificate")?,
            address: credentials::operator("person-address"),
            tls: credentials::operator(TLS).is_some(),
        })
    }

    /// Asks for a consent; the person comes back to this address.
    pub fn consent(&self, access: &str, back: &str) -> Result<Page> {
        let id = random::uuid();
        let digest = secret::digest("sha-256", access)?;
        let signed = format!("\nx-request-id: {id}\ntpp-redirect-uri: {back}");
        let data = ("digest: SHA-256=", digest.encoded("base64"), signed);
        let signature = secret::sign("rs256", &self.key, data)?;
        let request = post("/consents").body("application/json", access).header("tpp-redirect-uri", back);
        let request = request.header("tpp-redirect-preferred", "true");
        let request = request.header("digest", ("SHA-256=", digest.encoded("base64")));
        self.identified(request, id, "digest x-request-id tpp-redirect-uri", &signature).expect(&["consent"])
    }

    /// Reads what this consent allows.
    pub fn read(&self, path: &str, consent: &str, query: &[(String, String)], pages: &[&str]) -> Result<Page> {
        let request = query.iter().fold(get(path), |request, (name, value)| request.query(name, value));
        let (id, signature) = self.bodiless()?;
        let request = request.header("consent-id", consent).header("digest", format!("SHA-256={NOTHING}"));
        self.identified(request, id, "digest x-request-id", &signature).expect(pages)
    }

    /// Ends the consent.
    pub fn withdraw(&self, consent: &str) -> Result<Response> {
        let (id, signature) = self.bodiless()?;
        let request = Request::new("DELETE", format!("/consents/{consent}"));
        let request = request.header("digest", format!("SHA-256={NOTHING}"));
        self.identified(request, id, "digest x-request-id", &signature).send()
    }

    fn bodiless(&self) -> Result<(String, Secret)> {
        let id = random::uuid();
        let signature = secret::sign("rs256", &self.key, format!("digest: SHA-256={NOTHING}\nx-request-id: {id}"))?;
        Ok((id, signature))
    }

    fn identified<'a>(&'a self, request: Request<'a>, id: String, signed: &str, signature: &'a Secret) -> Request<'a> {
        let names = format!("\",algorithm=\"rsa-sha256\",headers=\"{signed}\",signature=\"");
        let signature = ("keyId=\"", &self.key_id, names, signature.encoded("base64"), "\"");
        let request = request
            .header("x-request-id", id)
            .header("signature", signature)
            .header("tpp-signature-certificate", &self.certificate);
        let request = match &self.address {
            Some(address) => request.header("psu-ip-address", address),
            None => request,
        };
        if self.tls { request.client_certificate(TLS) } else { request }
    }
}
