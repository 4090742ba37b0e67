//! Records of the crate `log` go to the host.

use log::kv::{self, Key, VisitSource, VisitValue};
use log::{Log, Metadata, Record};

use crate::log_record::{Field, Level, Line, Value};
use crate::scope;

struct Bridge;

/// Makes this the logger, unless there is one.
pub(crate) fn install() {
    if log::set_logger(&Bridge).is_ok() {
        // The host's level may change at any time, so it is asked for each record.
        log::set_max_level(log::LevelFilter::Trace);
    }
}

fn level_of(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warning,
        log::Level::Info => Level::Info,
        log::Level::Debug => Level::Debug,
        log::Level::Trace => Level::Trace,
    }
}

impl Log for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        scope::enabled_anywhere(level_of(metadata.level()))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = level_of(record.level());
        let mut line = Line::new(level, record.target(), record.args().to_string());
        // The only error is one of the visitor, which has none.
        let _ = record.key_values().visit(&mut Fields(&mut line.fields));
        scope::log(scope::current().as_ref(), &line);
    }

    fn flush(&self) {}
}

struct Fields<'a>(&'a mut Vec<Field>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(One { name: key.as_str(), fields: self.0 })
    }
}

struct One<'a> {
    name: &'a str,
    fields: &'a mut Vec<Field>,
}

impl One<'_> {
    fn push(&mut self, value: Value<'_>) {
        self.fields.push(Field::new(self.name, value));
    }
}

impl VisitValue<'_> for One<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.push(Value::Text(&value.to_string()));
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.push(value.into());
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.push(value.into());
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.push(value.into());
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.push(value.into());
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.push(value.into());
        Ok(())
    }
}
