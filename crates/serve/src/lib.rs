//! The app over loopback HTTP and WebSocket, so that the same UI runs in a browser for tests and development.
//!
//! Never shipped. It still guards itself as if it were: whoever reaches it can start containers, and every web page
//! the person has open can send requests to 127.0.0.1.

mod api;
mod guard;
mod page;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wherry_app::App;

use crate::guard::Token;

/// How long calls that are under way may take to end before they are dropped.
const FAREWELL: Duration = Duration::from_secs(5);

/// A server that has its address and answers once it is run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Serving,
    ui: PathBuf,
}

/// What every request needs.
#[derive(Clone)]
struct Serving {
    app: App,
    token: Token,
    end: CancellationToken,
    streams: TaskTracker,
}

impl Server {
    /// Binds on loopback only. `port` 0 takes a free one; `ui` is the folder of the built UI.
    pub async fn bind(app: App, port: u16, ui: PathBuf) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Server {
            address: listener.local_addr()?,
            listener,
            state: Serving {
                app,
                token: Token::random()?,
                end: CancellationToken::new(),
                streams: TaskTracker::new(),
            },
            ui,
        })
    }

    /// With the token: whoever has it is let in.
    pub fn url(&self) -> String {
        format!("http://{}/?token={}", self.address, self.state.token.as_str())
    }

    /// Answers until `end` is cancelled. Streams are closed then; calls may take [`FAREWELL`] to finish.
    pub async fn run(self, end: CancellationToken) -> io::Result<()> {
        let Server {
            listener,
            address,
            mut state,
            ui,
        } = self;
        state.end = end.clone();
        let streams = state.streams.clone();
        let api = Router::new()
            .route("/api/call/{name}", post(api::call))
            .route("/api/open", get(api::open))
            .route_layer(middleware::from_fn_with_state(state.token.clone(), guard::has_token))
            .with_state(state);
        let router = api
            .fallback_service(page::service(&ui))
            .layer(middleware::from_fn(page::with_policy))
            .layer(middleware::from_fn_with_state(address, guard::is_for_us));

        // The echo of a key does not wait until the page has acknowledged what came before it.
        let listener = listener.tap_io(|stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "small messages may wait for one another");
            }
        });
        let serving = axum::serve(listener, router).with_graceful_shutdown(end.clone().cancelled_owned());
        let overdue = async {
            end.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            result = serving => result?,
            () = overdue => tracing::warn!("calls were still under way at the end"),
        }
        streams.close();
        if tokio::time::timeout(FAREWELL, streams.wait()).await.is_err() {
            tracing::warn!("streams were still open at the end");
        }
        Ok(())
    }
}
