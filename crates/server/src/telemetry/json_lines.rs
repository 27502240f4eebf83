//! One JSON object a line on standard output, in the shape the vendor's log readers know.

use std::fmt;
use std::io;
use std::sync::Arc;

use domain::port::Clock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::line_writer::{LastLines, LineWriter};
use crate::settings::LogLevel;

/// Where log lines go, and which.
#[derive(Clone)]
pub(crate) struct Logging {
    writer: LineWriter,
    clock: Arc<dyn Clock>,
    level: LogLevel,
}

impl Logging {
    /// Opens the log. The guard writes what is left when it is dropped.
    ///
    /// # Errors
    ///
    /// If there is no thread to be had.
    pub(crate) fn open(level: LogLevel, clock: Arc<dyn Clock>) -> io::Result<(Self, LastLines)> {
        let (writer, last_lines) = LineWriter::start()?;
        Ok((Self { writer, clock, level }, last_lines))
    }

    /// How many lines were lost because nobody read them fast enough.
    pub(crate) fn dropped_lines(&self) -> u64 {
        self.writer.dropped()
    }

    /// What is logged.
    pub(crate) fn level(&self) -> LogLevel {
        self.level
    }

    /// Milliseconds since the epoch.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_unix_millis()
    }

    /// Writes one line.
    pub(crate) fn line(&self, json: &[u8]) {
        self.writer.write(json);
    }

    /// The layer that writes events. Libraries are heard from `warn` on.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let level = match self.level {
            LogLevel::Trace => LevelFilter::TRACE,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
        };
        let targets = Targets::new()
            .with_default(level.min(LevelFilter::WARN))
            .with_targets(["server", "app", "domain", "adapter"].map(|ours| (ours, level)));
        JsonLines(self.clone()).with_filter(targets)
    }
}

struct JsonLines(Logging);

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let Fields(mut line) = fields;
        if let Some(message) = line.remove("message") {
            line.insert("msg".to_owned(), message);
        }
        line.insert("level".to_owned(), number(*event.metadata().level()).into());
        line.insert("time".to_owned(), self.0.now().into());
        if let Ok(json) = serde_json::to_vec(&line) {
            self.0.line(&json);
        }
    }
}

/// The vendor's number for a level.
pub(crate) fn number(level: Level) -> u8 {
    match level {
        Level::TRACE => 10,
        Level::DEBUG => 20,
        Level::INFO => 30,
        Level::WARN => 40,
        Level::ERROR => 50,
    }
}

/// The fields of an event; `client.id` becomes a member `id` of `client`.
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        let mut object = &mut self.0;
        let mut names = field.name().split('.').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                object.insert(name.to_owned(), value);
                return;
            }
            let member = object.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = member else {
                return;
            };
            object = inner;
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}
