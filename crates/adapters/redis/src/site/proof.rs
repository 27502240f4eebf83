//! That what was written is where it must be before it counts.

use std::vec;

use redis::{Pipeline, Value, cmd};

use crate::failure::Failure;
use crate::link::Lease;
use crate::site::heirs::{Demand, Heirs, following};
use crate::site::{Errand, Layout, Site};

impl Site {
    /// Sends a command and, if it writes, asks for the replicas in the same go: `WAIT` counts for
    /// what was written on the same connection.
    pub(super) async fn carry_out(
        &self,
        errand: &Errand<'_>,
        lease: &mut Lease,
        is_asking: bool,
    ) -> Result<Value, Failure> {
        let mut commands = Pipeline::new();
        if is_asking {
            commands.add_command(cmd("ASKING"));
        }
        commands.add_command(errand.command.clone());
        let asked = match self.demand {
            _ if !errand.is_written => 0,
            Demand::Number(number) => number,
            Demand::Heirs => self.heirs(lease)?.least(),
        };
        if errand.is_written {
            self.ask_for_replicas(&mut commands, asked);
        }
        let mut answers = lease.send(&commands).await?.into_iter();
        if is_asking {
            answers.next();
        }
        let answer = answers.next().ok_or(Failure::Absurd("no answer"))?;
        let answer = answer.extract_error().map_err(Failure::refused)?;
        // What was not written needs no replicas.
        if errand.is_written && answer != Value::Nil {
            self.prove(lease, asked, answers).await?;
        }
        Ok(answer)
    }

    fn ask_for_replicas(&self, commands: &mut Pipeline, asked: u32) {
        if 0 < asked {
            // Sooner than the answer is given up, so that what is missing can be told.
            let limit = self.dialer.limits().response.as_millis() * 2 / 3;
            commands.cmd("WAIT").arg(asked).arg(u64::try_from(limit).unwrap_or(1).max(1));
        }
        if matches!(self.demand, Demand::Heirs) {
            // Afterwards: whoever came meanwhile may have been counted, and then counts.
            commands.cmd("ROLE");
        }
    }

    /// Whether enough replicas have what was written last on this connection, by the answers to
    /// [`Site::ask_for_replicas`].
    async fn prove(
        &self,
        lease: &mut Lease,
        mut asked: u32,
        mut answers: vec::IntoIter<Value>,
    ) -> Result<(), Failure> {
        loop {
            let have = if asked == 0 { 0 } else { acknowledged(answers.next())? };
            let needed = match self.demand {
                Demand::Number(number) => number,
                Demand::Heirs => {
                    let heirs = self.heirs(lease);
                    let heirs = heirs.map_err(|_| Failure::Replaced(lease.address.clone()))?;
                    heirs.needed(&following(heard(answers.next())?)?).max(asked)
                }
            };
            if i64::from(needed) <= have {
                return Ok(());
            }
            if have < i64::from(asked) || needed <= asked {
                return Err(Failure::NotReplicated { have, asked: needed });
            }
            // More follow the master than were known of. Each turn asks for more of them.
            asked = needed;
            let mut commands = Pipeline::new();
            self.ask_for_replicas(&mut commands, asked);
            answers = lease.send(&commands).await?.into_iter();
        }
    }

    /// Who could take over from the master that this connection reaches.
    fn heirs(&self, lease: &Lease) -> Result<Heirs, Failure> {
        match &self.layout {
            Layout::One(_) => lease.heirs(),
            Layout::Many(cluster) => Ok(cluster.heirs(&lease.address)),
        }
    }
}

fn heard(answer: Option<Value>) -> Result<Value, Failure> {
    let answer = answer.ok_or(Failure::Absurd("no answer about replicas"))?;
    answer.extract_error().map_err(|error| Failure::ReplicasUnheard(error.into()))
}

fn acknowledged(answer: Option<Value>) -> Result<i64, Failure> {
    let Value::Int(have) = heard(answer)? else {
        return Err(Failure::Absurd("WAIT without a number"));
    };
    Ok(have)
}
