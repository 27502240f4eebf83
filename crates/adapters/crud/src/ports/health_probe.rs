//! [`HealthProbe`] of a collection.

use async_trait::async_trait;
use domain::Fault;
use domain::port::HealthProbe;

use crate::CrudClients;
use crate::collection::{Request, documents};
use crate::document::field;

#[async_trait]
impl HealthProbe for CrudClients {
    fn name(&self) -> &'static str {
        "crud"
    }

    /// Asks for one document: a count of all would cost more, and say less about the base URL.
    async fn check(&self) -> Result<(), Fault> {
        self.within(async {
            let request = Request::list().with("_l", "1").with("_p", field::CLIENT_ID);
            let answer = self.collection.ask(&request).await?;
            documents(&answer.reply.done("a question for a document")?)?;
            Ok(())
        })
        .await
    }
}
