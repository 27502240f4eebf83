//! The service as a program, configured by its environment.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use crud_service::{Definition, Dialect, Options, State, run};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("healthcheck") {
        return healthcheck();
    }
    match options().map(|options| run(&options)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => complain(&format!("crud-service ended: {error:?}")),
        Err(variable) => complain(&format!("{variable} is missing or wrong")),
    }
}

/// Asks the service beside this process whether it is ready: for images without a shell.
fn healthcheck() -> ExitCode {
    let asked = || -> std::io::Result<bool> {
        let port = variable("HTTP_PORT").or_else(|| variable("PORT"));
        let address = format!("127.0.0.1:{}", port.as_deref().unwrap_or("3000"));
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.take(64).read_to_end(&mut answer)?;
        Ok(answer.split(|byte| *byte == b' ').nth(1) == Some(b"200".as_slice()))
    };
    if asked().is_ok_and(|is_ready| is_ready) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stderr, reason = "there is nobody else to tell")]
fn complain(complaint: &str) -> ExitCode {
    eprintln!("{complaint}");
    ExitCode::FAILURE
}

/// The options, or the name of the variable that is wrong.
fn options() -> Result<Options, &'static str> {
    let collection = variable("COLLECTION").unwrap_or_else(|| "clients".to_owned());
    let definition = match variable("COLLECTION_DEFINITION").as_deref() {
        Some("published") => Definition::published(),
        None | Some("extended") => Definition::extended(),
        Some(_) => return Err("COLLECTION_DEFINITION"),
    };
    let definition = match variable("DEFAULT_STATE").map(|name| name.parse::<State>()) {
        None => definition,
        Some(Ok(state)) => definition.starting_in(state),
        Some(Err(_)) => return Err("DEFAULT_STATE"),
    };
    let port = variable("HTTP_PORT").or_else(|| variable("PORT"));
    Ok(Options {
        mongodb_url: variable("MONGODB_URL").ok_or("MONGODB_URL")?,
        database: "crud".to_owned(),
        path: format!("/{collection}"),
        collection,
        definition,
        dialect: Dialect::V7,
        user_header: variable("USERID_HEADER_KEY").unwrap_or_else(|| "miauserid".to_owned()),
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: port.map_or(Ok(3_000), |it| it.parse()).map_err(|_| "HTTP_PORT")?,
        is_scratch: false,
        memory: 0,
    })
}

#[expect(clippy::disallowed_methods, reason = "this program has no configuration but this")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
