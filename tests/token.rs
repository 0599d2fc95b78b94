//! The server that gives out tokens for a registry, as Docker Hub, GitHub and GitLab have one. It knows `ada` with the
//! password `s:cret`; everybody else may only look.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, DnType, KeyPair, SigningKey as _};
use serde_json::{Value, json};

pub struct TokenServer {
    signer: Arc<Signer>,
    port: u16,
}

struct Signer {
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl TokenServer {
    pub const SERVICE: &'static str = "wherry-test";
    pub const ISSUER: &'static str = "wherry-test-issuer";

    /// Goes on until the test's process ends.
    pub fn start() -> TokenServer {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "token server");
        let certificate = params.self_signed(&key).expect("signed");
        let signer = Arc::new(Signer { key, certificate });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = signer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(&server, &stream);
            }
        });
        TokenServer { signer, port }
    }

    pub fn realm(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }

    /// By which the registry knows its signature.
    pub fn certificate(&self) -> String {
        self.signer.certificate.pem()
    }
}

fn answer(signer: &Signer, stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut login = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some(basic) = line
            .trim()
            .strip_prefix("authorization: Basic ")
            .or(line.trim().strip_prefix("Authorization: Basic "))
        {
            login = STANDARD.decode(basic).ok();
        }
    }
    let known = login.as_deref() == Some(b"ada:s:cret".as_slice());
    let (status, body) = if login.is_some() && !known {
        (
            "401 Unauthorized",
            json!({ "details": "incorrect username or password" }),
        )
    } else {
        let target = request.split(' ').nth(1).unwrap_or_default();
        ("200 OK", json!({ "token": signer.token(&access(target, known)) }))
    };
    let body = body.to_string();
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// What is asked for in `scope=repository%3Aprivate%2Fx%3Apull`, and may be had.
fn access(target: &str, known: bool) -> Vec<Value> {
    let scopes = target.split(['?', '&']).filter_map(|part| part.strip_prefix("scope="));
    let decoded = scopes.map(|scope| scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","));
    decoded
        .filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            let may = |action: &&str| known || (*action == "pull" && !name.starts_with("private/"));
            let actions: Vec<&str> = actions.split(',').filter(may).collect();
            Some(json!({ "type": kind, "name": name, "actions": actions }))
        })
        .collect()
}

impl Signer {
    /// A JSON Web Token with its certificate in the head (RFC 7519, RFC 7515).
    fn token(&self, access: &[Value]) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let head = json!({ "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(self.certificate.der())] });
        let claims = json!({
            "iss": TokenServer::ISSUER,
            "aud": TokenServer::SERVICE,
            "sub": "somebody",
            "iat": now,
            "nbf": now - 60,
            "exp": now + 600,
            "jti": now.to_string(),
            "access": access,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        assert_eq!(self.key.algorithm(), &rcgen::PKCS_ECDSA_P256_SHA256);
        let signature = self.key.sign(signed.as_bytes()).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(plain(&signature)))
    }
}

/// The two numbers of an ECDSA signature, 32 bytes each, out of their DER (`30 len 02 len r 02 len s`).
fn plain(der: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let length = usize::from(rest[1]);
        let number = &rest[2..2 + length];
        let number = &number[number.len().saturating_sub(32)..];
        plain.extend(std::iter::repeat_n(0, 32 - number.len()));
        plain.extend(number);
        rest = &rest[2 + length..];
    }
    plain
}
