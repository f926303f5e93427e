//! Request bodies that a handler did not read to the end.
//!
//! A refusal often needs no body: the token is missing, the path unknown. But the body is on its way, and hyper closes
//! a connection whose request body was dropped unread, without announcing it in a response that is already written. A
//! proxy that pools connections then loses its next request. So a handler only borrows the body. Before its response is
//! written, a small rest is read and discarded; otherwise the response has `Connection: close`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::extract::BODY_LIMIT;

/// Maximum wait for the rest of a refused request's body. Clients send head and body of a request together.
const PATIENCE: Duration = Duration::from_secs(1);

/// A request body, which returns to its [`BodyReturn`] when the handler drops it.
pub(super) struct BorrowedBody {
    /// `None` after it was returned.
    body: Option<Tracked>,
    lender: Arc<Mutex<Option<Tracked>>>,
}

/// Receives the body of one request when it is returned.
pub(super) struct BodyReturn(Arc<Mutex<Option<Tracked>>>);

/// A body, and the number of bytes read from it.
struct Tracked {
    incoming: Incoming,
    /// Number of bytes read.
    read: u64,
    /// True if the client waits for `100 Continue` before sending the body (RFC 9110, section 10.1.1). hyper sends it
    /// at the first read.
    awaits_continue: bool,
    state: Reading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Going,
    Ended,
    Failed,
}

/// Lends a body out.
pub(super) fn lend(incoming: Incoming, awaits_continue: bool) -> (BorrowedBody, BodyReturn) {
    let lender = Arc::new(Mutex::new(None));
    let body = Tracked { incoming, read: 0, awaits_continue, state: Reading::Going };
    (BorrowedBody { body: Some(body), lender: Arc::clone(&lender) }, BodyReturn(lender))
}

impl BodyReturn {
    /// Reads the rest of the body if it is small and arrives soon. Called after the handler has answered; returns
    /// whether the connection is usable for the next request.
    pub async fn settle(self) -> bool {
        let returned = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A body that is still borrowed cannot be read here.
        let Some(mut body) = returned else { return false };
        let rest = async {
            loop {
                match body.state {
                    Reading::Ended => return true,
                    Reading::Failed => return false,
                    Reading::Going if body.is_too_much() => return false,
                    Reading::Going => drop(body.frame().await),
                }
            }
        };
        tokio::time::timeout(PATIENCE, rest).await.unwrap_or(false)
    }
}

impl Tracked {
    /// Returns whether reading on costs more than a new connection.
    fn is_too_much(&self) -> bool {
        self.awaits_continue || self.read.saturating_add(self.incoming.size_hint().lower()) > BODY_LIMIT as u64
    }
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.awaits_continue = false;
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => self.read += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => self.state = Reading::Failed,
            None => self.state = Reading::Ended,
        }
        if self.state == Reading::Going && self.incoming.is_end_stream() {
            self.state = Reading::Ended;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl BorrowedBody {
    fn body(&self) -> &Tracked {
        self.body.as_ref().expect("it is returned by being dropped")
    }
}

impl Body for BorrowedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(self.body.as_mut().expect("it is returned by being dropped")).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body().size_hint()
    }
}

impl Drop for BorrowedBody {
    fn drop(&mut self) {
        *self.lender.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
    }
}
