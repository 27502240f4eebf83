//! [`HealthProbe`] of a database.

use async_trait::async_trait;
use domain::Fault;
use domain::port::HealthProbe;

use crate::{Engine, Stores};

#[async_trait]
impl<E: Engine> HealthProbe for Stores<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    async fn check(&self) -> Result<(), Fault> {
        self.engine.probe().await
    }
}
