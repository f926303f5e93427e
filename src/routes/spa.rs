//! Serves the single-page app, from a directory or embedded in the program. The app has URLs of its own, so a page
//! request that matches no file gets the app itself, which then evaluates the URL.

#[cfg(feature = "embed-spa")]
mod embedded;

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, DefaultServeDirFallback};

use crate::error::Error;

/// The app's files from either source, served by the same service.
type Files<B> = ServeDir<DefaultServeDirFallback, B>;

/// Serves the app for all URLs without another route: from the directory if set, otherwise the embedded one.
pub(super) fn router<S: Clone + Send + Sync + 'static>(dir: Option<&Path>) -> Router<S> {
    match dir {
        Some(dir) => from(ServeDir::new(dir)),
        None => without_directory(),
    }
}

#[cfg(feature = "embed-spa")]
fn without_directory<S: Clone + Send + Sync + 'static>() -> Router<S> {
    from(embedded::files())
}

/// Without an app, `/` redirects to the API's documentation.
#[cfg(not(feature = "embed-spa"))]
fn without_directory<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let router = Router::new().fallback(async || not_found());
    let to_document = axum::routing::get(async || axum::response::Redirect::temporary("/swagger"));
    if cfg!(feature = "swagger") { router.route("/", to_document) } else { router }
}

fn from<S: Clone + Send + Sync + 'static, B: Backend>(files: Files<B>) -> Router<S> {
    Router::new().fallback(move |request: Request| serve(files.clone(), request))
}

fn not_found() -> Error {
    Error::NotFound("address")
}

/// Serves a file, or the app to a browser that requests a page; a program that mistypes a URL gets 404.
async fn serve<B: Backend>(files: Files<B>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found().into_response();
    }
    let (mut parts, _) = request.into_parts();
    let path = parts.uri.path().to_owned();

    let Ok(mut response) = files.clone().oneshot(Request::from_parts(parts.clone(), Body::empty())).await;
    if !has_answered(response.status()) && accepts_html(&parts.headers) {
        parts.uri = Uri::from_static("/");
        let Ok(page) = files.oneshot(Request::from_parts(parts, Body::empty())).await;
        response = page;
    }
    if !has_answered(response.status()) {
        return not_found().into_response();
    }
    let mut response = response.map(Body::new);
    let caching = caching(&path, response.headers());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// Any other status means that the URL matches no file.
fn has_answered(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::NOT_MODIFIED | StatusCode::RANGE_NOT_SATISFIABLE)
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

/// Files under `/assets/` have a digest of their content in their names, so they never change and are cached for ever.
/// A page and its settings must never be outdated; other files may be cached and revalidated.
fn caching(path: &str, headers: &HeaderMap) -> &'static str {
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || path == "/config.js" {
        "no-store"
    } else if path.starts_with("/assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use rstest::rstest;

    use super::*;

    fn app() -> (tempfile::TempDir, Router) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("assets")).expect("a directory");
        for (name, content) in [("index.html", "<title>app</title>"), ("config.js", "x"), ("assets/app-1a2b.js", "y")] {
            std::fs::write(dir.path().join(name), content).expect("a file");
        }
        let router = router(Some(dir.path()));
        (dir, router)
    }

    #[rstest]
    #[case("GET", "/", "*/*", 200, "no-store")]
    #[case("GET", "/r/01", "text/html,*/*", 200, "no-store")]
    #[case("HEAD", "/sign-in", "text/html", 200, "no-store")]
    #[case("GET", "/config.js", "*/*", 200, "no-store")]
    #[case("GET", "/assets/app-1a2b.js", "*/*", 200, "public, max-age=31536000, immutable")]
    #[case("GET", "/r/01", "application/json", 404, "")]
    #[case("GET", "/assets/gone.js", "*/*", 404, "")]
    #[case("POST", "/r/01", "text/html", 404, "")]
    #[case("GET", "/../Cargo.toml", "*/*", 404, "")]
    #[case("GET", "/%2e%2e/%2e%2e/etc/passwd", "*/*", 404, "")]
    #[case("GET", "/a%00b", "*/*", 404, "")]
    #[case("GET", "/%ff", "*/*", 404, "")]
    #[tokio::test]
    async fn every_address_gets_a_file_the_app_or_404(
        #[case] method: &str,
        #[case] address: &str,
        #[case] accept: &str,
        #[case] status: u16,
        #[case] caching: &str,
    ) {
        let (_dir, app) = app();
        let request = Request::builder().method(method).uri(address).header("accept", accept).body(Body::empty());
        let response = app.oneshot(request.expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), status);
        let told = response.headers().get(header::CACHE_CONTROL).map_or("", |value| value.to_str().expect("text"));
        assert_eq!(told, caching);
    }

    #[tokio::test]
    async fn an_address_of_the_apps_own_is_the_app() {
        let (_dir, app) = app();
        let request = Request::builder().uri("/dm/01").header("accept", "text/html").body(Body::empty());
        let response = app.oneshot(request.expect("a request")).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body, "<title>app</title>");
    }
}
