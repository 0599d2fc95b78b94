//! The built UI.

use std::path::Path;
use std::sync::LazyLock;

use axum::extract::Request;
use axum::handler::HandlerWithoutStateExt as _;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::MethodRouter;
use serde_json::Value;
use tower_http::services::ServeDir;

/// The files below `ui` with their types; the page itself for every path that names no file, since the UI finds its
/// own way from there.
pub(crate) fn service(ui: &Path) -> MethodRouter {
    let index = ui.join("index.html");
    let page = move |uri: Uri| {
        let index = index.clone();
        async move { page(&uri, &index).await }
    };
    axum::routing::get_service(ServeDir::new(ui).fallback(page.into_service()))
}

async fn page(uri: &Uri, index: &Path) -> Response {
    let names_a_file = uri.path().rsplit('/').next().is_some_and(|last| last.contains('.'));
    if names_a_file || uri.path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, "There is no such file.\n").into_response();
    }
    match tokio::fs::read_to_string(index).await {
        Ok(text) => Html(text).into_response(),
        Err(_) => (
            StatusCode::NOT_FOUND,
            "The UI is not built: run cargo xtask build first.\n",
        )
            .into_response(),
    }
}

/// What a page may load, read from the window's own configuration: what breaks there breaks here.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let window: Value = serde_json::from_str(include_str!("../../../src-tauri/tauri.conf.json")).unwrap_or_default();
    let policy = window["app"]["security"]["csp"]
        .as_str()
        .unwrap_or("default-src 'none'");
    HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub(crate) async fn with_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
