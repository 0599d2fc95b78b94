//! Who may ask: the holder of the token, from a page that came from here.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The WebSocket protocol that is spoken. A browser offers the token beside it, having no other header to set.
pub(crate) const PROTOCOL: &str = "wherry";

/// A new secret for each start.
#[derive(Clone)]
pub(crate) struct Token(Arc<str>);

impl Token {
    pub(crate) fn random() -> io::Result<Token> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let mut text = String::with_capacity(64);
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Token(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes the same time wherever the two differ, so that the token cannot be guessed byte by byte.
    fn is(&self, given: &str) -> bool {
        let difference = self
            .0
            .bytes()
            .zip(given.bytes())
            .fold(0, |so_far, (ours, theirs)| so_far | (ours ^ theirs));
        given.len() == self.0.len() && difference == 0
    }
}

/// Refuses what was addressed to another name (a domain made to point here) or sent by another site's page.
pub(crate) async fn is_for_us(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let names = [address.to_string(), format!("localhost:{}", address.port())];
    let host = text(request.headers(), &header::HOST);
    let origin = text(request.headers(), &header::ORIGIN);
    let host_is_ours = host.is_some_and(|host| names.iter().any(|name| name == host));
    let origin_is_ours = !request.headers().contains_key(header::ORIGIN)
        || origin
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|origin| names.iter().any(|name| name == origin));
    if host_is_ours && origin_is_ours {
        next.run(request).await
    } else {
        (
            StatusCode::FORBIDDEN,
            "This address is answered for this computer's own pages only.\n",
        )
            .into_response()
    }
}

pub(crate) async fn has_token(State(token): State<Token>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let bearer = text(headers, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let offered = text(headers, &header::SEC_WEBSOCKET_PROTOCOL)
        .into_iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|&offer| offer != PROTOCOL);
    if bearer.into_iter().chain(offered).any(|given| token.is(given)) {
        next.run(request).await
    } else {
        (
            StatusCode::UNAUTHORIZED,
            "The token is missing or from another start.\n",
        )
            .into_response()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
