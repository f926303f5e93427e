//! The single-page app embedded in the program, as it was at build time (feature `embed-spa`).
//!
//! The files are passed to the same service that serves a directory, so etags, ranges, content types and errors are the
//! same.

use std::future::{Ready, ready};
use std::io::{self, Cursor, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rust_embed::RustEmbed;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::ServeDir;
use tower_http::services::fs::{Backend, File, Metadata};

use super::Files;

/// If the files are missing, `build.rs` says how to build them.
#[derive(RustEmbed)]
#[folder = "frontend/dist"]
#[allow_missing = true]
struct App;

pub(super) fn files() -> Files<Embedded> {
    ServeDir::with_backend("", Embedded)
}

/// The files of [`App`] as a read-only file system.
#[derive(Clone, Copy)]
pub(super) struct Embedded;

pub(super) struct EmbeddedFile {
    content: Cursor<std::borrow::Cow<'static, [u8]>>,
    about: About,
}

#[derive(Clone, Copy)]
pub(super) struct About {
    is_dir: bool,
    modified: Option<u64>,
    length: u64,
}

impl Backend for Embedded {
    type File = EmbeddedFile;
    type Metadata = About;
    type OpenFuture = Ready<io::Result<EmbeddedFile>>;
    type MetadataFuture = Ready<io::Result<About>>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        ready(find(&path))
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        // The root is the only directory that is requested, since `/` is its page; the existence of others need not be
        // revealed.
        if path == Path::new(".") {
            return ready(Ok(About { is_dir: true, modified: None, length: 0 }));
        }
        ready(find(&path).map(|file| file.about))
    }
}

fn find(path: &Path) -> io::Result<EmbeddedFile> {
    let name = path.strip_prefix(".").unwrap_or(path).to_str().ok_or(io::ErrorKind::NotFound)?;
    let file = App::get(name).ok_or(io::ErrorKind::NotFound)?;
    let about = About { is_dir: false, modified: file.metadata.last_modified(), length: file.data.len() as u64 };
    Ok(EmbeddedFile { content: Cursor::new(file.data), about })
}

impl Metadata for About {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        let since = self.modified.map(Duration::from_secs).ok_or(io::ErrorKind::Unsupported)?;
        Ok(UNIX_EPOCH + since)
    }

    fn len(&self) -> u64 {
        self.length
    }
}

impl File for EmbeddedFile {
    type Metadata = About;
    type MetadataFuture<'a> = Ready<io::Result<About>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.about))
    }
}

impl AsyncRead for EmbeddedFile {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.content).poll_read(context, into)
    }
}

impl AsyncSeek for EmbeddedFile {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.content).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.content).poll_complete(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::http::{HeaderMap, StatusCode, header};
    use bytes::Bytes;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::super::router;
    use super::*;

    /// The same files on disk. (A disk stores modification times in nanoseconds, the program in seconds.)
    fn unpacked() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in App::iter() {
            let (path, file) = (dir.path().join(&*name), App::get(&name).expect("it is listed"));
            std::fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("a directory");
            std::fs::write(&path, &file.data).expect("a file");
            let modified = UNIX_EPOCH + Duration::from_secs(file.metadata.last_modified().expect("a time"));
            std::fs::File::options()
                .write(true)
                .open(&path)
                .and_then(|it| it.set_modified(modified))
                .expect("its time");
        }
        dir
    }

    async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Bytes) {
        let request =
            headers.iter().fold(Request::builder().uri(path), |request, (name, value)| request.header(*name, *value));
        let Ok(response) = router.clone().oneshot(request.body(Body::empty()).expect("a request")).await;
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.expect("a body").to_bytes())
    }

    #[tokio::test]
    async fn what_is_embedded_is_served_as_from_a_directory() {
        let dir = unpacked();
        let (embedded, directory): (Router, Router) = (router(None), router(Some(dir.path())));
        let mut paths: Vec<String> = App::iter().map(|name| format!("/{name}")).collect();
        assert!(paths.iter().any(|path| path.starts_with("/assets/")), "{paths:?}");
        paths.extend(
            ["/", "/r/01", "/assets", "/assets/", "/gone.js", "/../Cargo.toml", "/%2e%2e/x", "/a%00b", "/%ff"]
                .map(Into::into),
        );
        let tag = ask(&directory, "/config.js", &[]).await.1[header::ETAG].to_str().expect("text").to_owned();
        for path in &paths {
            for headers in [
                &[("accept", "*/*")][..],
                &[("accept", "text/html")],
                &[("range", "bytes=2-5")],
                &[("range", "bytes=9999999-")],
                &[("if-none-match", tag.as_str())],
            ] {
                let (ours, theirs) = (ask(&embedded, path, headers).await, ask(&directory, path, headers).await);
                assert_eq!((ours.0, ours.1), (theirs.0, theirs.1), "{path} with {headers:?}");
                assert!(ours.2 == theirs.2, "another body of {path} with {headers:?}");
            }
        }
        assert_eq!(ask(&embedded, "/config.js", &[("if-none-match", &tag)]).await.0, StatusCode::NOT_MODIFIED);
        assert!(ask(&embedded, "/", &[]).await.2.starts_with(b"<!doctype html>"));
    }

    #[tokio::test]
    async fn a_directory_that_is_named_wins() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("index.html"), "mine").expect("a file");
        assert_eq!(ask(&router(Some(dir.path())), "/", &[]).await.2, "mine");
    }
}
