//! Closes behind a body that nobody reads to its end.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _};

/// How long the answer may take to be sent.
const HOLD: Duration = Duration::from_secs(10);

/// Keeps a chunked body until the answer has gone.
///
/// Where a chunked body is dropped before its end, actix reads on for as long as the client likes,
/// and the connection is never idle; where it is still there when the answer has gone, it closes.
pub(crate) async fn hold_body<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if !request.headers().contains_key(TRANSFER_ENCODING) {
        return next.call(request).await;
    }
    let held =
        Rc::new(Held { body: RefCell::new(request.take_payload()), ended: Cell::new(false) });
    let payload: Pin<Box<dyn Stream<Item = _>>> = Box::pin(Lent(Rc::clone(&held)));
    request.set_payload(Payload::from(payload));
    let response = next.call(request).await;
    if !held.ended.get() {
        actix_web::rt::spawn(async move {
            actix_web::rt::time::sleep(HOLD).await;
            drop(held);
        });
    }
    response
}

struct Held {
    body: RefCell<Payload>,
    ended: Cell<bool>,
}

/// The body, for the one handler that may read it.
struct Lent(Rc<Held>);

impl Stream for Lent {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.0.body.borrow_mut().poll_next_unpin(cx);
        if let Poll::Ready(None) = polled {
            self.0.ended.set(true);
        }
        polled
    }
}
