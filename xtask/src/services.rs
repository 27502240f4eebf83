//! `cargo xtask services`: the servers that tests need, for as long as somebody wants them.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    postgres::Cluster,
    run::{Interrupt, Outcome, POLL},
    test::POSTGRES_URL,
};

/// Runs the task.
pub(crate) fn run(interrupt: &Interrupt) -> Outcome {
    let cluster = Cluster::start(interrupt, None)?;
    println!("export {POSTGRES_URL}={}/postgres", cluster.url());
    eprintln!("Ctrl-C, or the end of standard input, stops it.");

    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    thread::spawn(move || {
        // An error is an end, too.
        let _ = io::copy(&mut io::stdin().lock().by_ref(), &mut io::sink());
        flag.store(true, Ordering::SeqCst);
    });
    while !interrupt.is_set() && !ended.load(Ordering::SeqCst) {
        thread::sleep(POLL);
    }
    Ok(())
}
