//! Says what it got, as JSON: method, target, headers and body. For trying the gateway out.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;

use serde_json::json;

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let listener = match TcpListener::bind(&address) {
        Ok(listener) => listener,
        Err(error) => {
            drop(writeln!(io::stderr(), "cannot listen at {address}: {error}"));
            return ExitCode::FAILURE;
        }
    };
    for stream in listener.incoming().flatten() {
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            while answer(&mut reader).is_ok_and(|is_another| is_another) {}
        });
    }
    ExitCode::SUCCESS
}

/// Answers one request; `false` at the end of the connection.
fn answer(reader: &mut BufReader<TcpStream>) -> io::Result<bool> {
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(false);
    }
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let header = |name: &str| headers.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str());
    let mut body = Vec::new();
    if header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            reader.by_ref().take(size).read_to_end(&mut body)?;
            reader.read_line(&mut String::new())?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = header("content-length").and_then(|it| it.parse().ok()) {
        reader.by_ref().take(length).read_to_end(&mut body)?;
    }
    let mut words = first.split_whitespace();
    let said = json!({
        "method": words.next(),
        "target": words.next(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let said = format!("{said:#}\n");
    let length = said.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
    reader.get_mut().write_all(format!("{head}{length}\r\n\r\n{said}").as_bytes())?;
    Ok(true)
}
