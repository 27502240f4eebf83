//! What is carried out to the end, whether or not its caller waits.

use std::time::Duration;

use actix_web::rt;
use app::RegisteredClient;
use domain::Fault;
use domain::management::Mandate;
use tokio::sync::oneshot;

use super::error::ApiError;
use super::{Api, forwarded};

/// How long a caller waits for stores that do not answer: less than the ten seconds in which an
/// answer is promised.
const PATIENCE: Duration = Duration::from_secs(9);

/// How long a caller waits for many changes at once, and for secrets to be hashed, which is slow on
/// purpose. Stores that do not answer have limits of their own.
const LONG_PATIENCE: Duration = Duration::from_mins(2);

/// Carries a change out to the end, even where the caller goes away or loses patience: one that is
/// dropped halfway would leave half a change behind.
///
/// # Errors
///
/// The error of the change; the fault of the store that did not answer within [`PATIENCE`].
pub(super) async fn to_the_end<T: 'static, E: Into<ApiError> + 'static>(
    work: impl Future<Output = Result<T, E>> + 'static,
) -> Result<T, ApiError> {
    within(PATIENCE, work, |_| std::future::ready(())).await
}

/// As [`to_the_end`], for a registration: one that nobody hears of is taken back.
pub(super) async fn registration(
    api: &Api,
    new: app::NewClient,
    mandate: Mandate,
) -> Result<RegisteredClient, ApiError> {
    let (register, undo) = (api.register_client.clone(), api.register_client.clone());
    let taking_back = |made: RegisteredClient| async move { undo.undo(&made.client).await };
    or_back(async move { register.execute(new, &mandate).await }, taking_back).await
}

/// As [`registration`], for a client that manages itself.
pub(super) async fn self_managed(
    api: &Api,
    new: app::NewClient,
) -> Result<RegisteredClient, ApiError> {
    let (register, undo) = (api.register_client.clone(), api.register_client.clone());
    let taking_back = |made: RegisteredClient| async move { undo.undo(&made.client).await };
    or_back(async move { register.self_managed(new).await }, taking_back).await
}

/// As [`to_the_end`]; `take_back` gets what nobody waits for any more.
pub(super) async fn or_back<T: 'static, E: Into<ApiError> + 'static, B: Future<Output = ()>>(
    work: impl Future<Output = Result<T, E>> + 'static,
    take_back: impl FnOnce(T) -> B + 'static,
) -> Result<T, ApiError> {
    within(PATIENCE, work, take_back).await
}

/// As [`or_back`], for what may take long.
pub(super) async fn long_or_back<
    T: 'static,
    E: Into<ApiError> + 'static,
    B: Future<Output = ()>,
>(
    work: impl Future<Output = Result<T, E>> + 'static,
    take_back: impl FnOnce(T) -> B + 'static,
) -> Result<T, ApiError> {
    within(LONG_PATIENCE, work, take_back).await
}

async fn within<T: 'static, E: Into<ApiError> + 'static, B: Future<Output = ()>>(
    patience: Duration,
    work: impl Future<Output = Result<T, E>> + 'static,
    take_back: impl FnOnce(T) -> B + 'static,
) -> Result<T, ApiError> {
    let (tell, hear) = oneshot::channel();
    rt::spawn(forwarded::carrying(forwarded::forwarded_headers(), async move {
        if let Err(Ok(unheard)) = tell.send(work.await) {
            take_back(unheard).await;
        }
    }));
    match rt::time::timeout(patience, hear).await {
        Ok(Ok(outcome)) => outcome.map_err(Into::into),
        Ok(Err(ended)) => Err(Fault::corrupt(ended).into()),
        Err(late) => Err(Fault::unavailable(late).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Mutex;

    use actix_web::ResponseError as _;
    use actix_web::http::StatusCode;
    use tokio::sync::Notify;

    use super::*;

    /// Work that ends when told so, and what came back of it.
    fn slow() -> (Rc<Notify>, impl Future<Output = Result<u8, Fault>>) {
        let told = Rc::new(Notify::new());
        let waiting = Rc::clone(&told);
        (told, async move {
            waiting.notified().await;
            Ok(7)
        })
    }

    #[actix_web::test]
    async fn what_a_caller_waits_for_is_theirs() {
        let (told, work) = slow();
        told.notify_one();

        let outcome = or_back(work, |_| async { unreachable!("it was heard") }).await;

        assert_eq!(outcome.unwrap(), 7);
    }

    #[actix_web::test]
    async fn t48_what_nobody_waits_for_any_more_is_taken_back() {
        let (told, work) = slow();
        let taken_back = Rc::new(Mutex::new(None));
        let back = Rc::clone(&taken_back);
        let done = Rc::new(Notify::new());
        let is_done = Rc::clone(&done);
        let call = or_back(work, move |it| async move {
            *back.lock().unwrap() = Some(it);
            is_done.notify_one();
        });

        // The caller goes away.
        assert!(rt::time::timeout(Duration::from_millis(20), call).await.is_err());
        told.notify_one();
        done.notified().await;

        assert_eq!(*taken_back.lock().unwrap(), Some(7));
    }

    #[actix_web::test]
    async fn t48_a_store_that_hangs_is_a_fault_of_the_store() {
        let (_told, work) = slow();
        let patience = Duration::from_millis(20);

        let error = within(patience, work, |_| std::future::ready(())).await.unwrap_err();

        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
