//! Every suite of `contract` that applies, on every topology.

use std::sync::Arc;

use adapter_redis::{RedisOptions, RedisStores};
use contract::change_feed::Rig;
use domain::port::ChangeAnnouncer as _;

use crate::servers;

fn rig(options: &RedisOptions) -> Rig {
    let (here, there) = (servers::node(options), servers::node(options));
    Rig {
        feed: Arc::new(here),
        cause: Box::new(move |change| {
            let there = there.clone();
            Box::pin(async move { there.announce(&change).await.unwrap() })
        }),
        names: |_| true,
    }
}

fn stores(options: &RedisOptions) -> (RedisStores, ()) {
    (servers::node(options), ())
}

macro_rules! suites_on {
    ($($topology:ident: $options:expr),+ $(,)?) => {
        $(mod $topology {
            mod replay_guard {
                contract::replay_guard! {
                    #[tokio::test]
                    fixture() { super::super::stores(&$options) }
                }
            }
            mod token_repository {
                contract::token_repository! {
                    #[tokio::test]
                    fixture() { super::super::stores(&$options) }
                }
            }
            mod reference_token_repository {
                contract::reference_token_repository! {
                    #[tokio::test]
                    fixture() { super::super::stores(&$options) }
                }
            }
            mod token_cache {
                contract::token_cache! {
                    #[tokio::test]
                    fixture() { super::super::stores(&$options) }
                }
            }
            mod change_feed {
                contract::change_feed! {
                    #[tokio::test]
                    fixture() { (super::super::rig(&$options), ()) }
                }
            }
        })+
    };
}

suites_on! {
    standalone: crate::servers::standalone(&crate::servers::STANDALONE),
    standalone_with_tls: crate::tls::shared(),
    sentinel: crate::servers::sentinel(&crate::servers::SENTINELS),
    cluster: crate::servers::cluster(&crate::servers::CLUSTER),
}
