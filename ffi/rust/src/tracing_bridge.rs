//! Events and spans of `tracing` go to the host. A span remembers in which component's call it was made, so that what is
//! recorded in it on another thread still belongs to that component.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_core::field::{Field as TracingField, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::subscriber::Interest;
use tracing_core::{Dispatch, Event, LevelFilter, Metadata, Subscriber, dispatcher};

use crate::context::Inner;
use crate::log_record::{Field, Level, Line, Value};
use crate::scope;

/// Makes this the subscriber of the plugin, unless there is one.
pub(crate) fn install() {
    let _ = dispatcher::set_global_default(Dispatch::new(Bridge));
}

struct Bridge;

struct Span {
    number: u64,
    parent: Option<Id>,
    parent_number: u64,
    metadata: &'static Metadata<'static>,
    owner: Option<Arc<Inner>>,
    fields: Mutex<Vec<Field>>,
    references: AtomicUsize,
}

thread_local! {
    /// Spans that this thread is in, innermost last.
    static STACK: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

fn level_of(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing_core::Level::ERROR => Level::Error,
        tracing_core::Level::WARN => Level::Warning,
        tracing_core::Level::INFO => Level::Info,
        tracing_core::Level::DEBUG => Level::Debug,
        tracing_core::Level::TRACE => Level::Trace,
    }
}

/// The span behind an id, which is its address.
fn span_of(id: &Id) -> &Span {
    // SAFETY: ids are made in `new_span` alone, and used only while `tracing` holds a reference.
    unsafe { &*(id.into_u64() as *const Span) }
}

fn innermost() -> Option<Id> {
    STACK.try_with(|stack| stack.borrow().last().cloned()).ok().flatten()
}

impl Subscriber for Bridge {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The host's level may change at any time.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        scope::enabled_anywhere(level_of(metadata))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let parent =
            if attributes.is_contextual() { innermost() } else { attributes.parent().cloned() };
        let parent = parent.map(|id| self.clone_span(&id));
        let outer = parent.as_ref().map(span_of);
        let owner = scope::current().or_else(|| outer.and_then(|outer| outer.owner.clone()));
        let mut fields = Vec::new();
        attributes.record(&mut Fields { fields: &mut fields, message: None });
        let span = Box::new(Span {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            parent_number: outer.map_or(0, |outer| outer.number),
            parent,
            metadata: attributes.metadata(),
            owner,
            fields: Mutex::new(fields),
            references: AtomicUsize::new(1),
        });
        Id::from_u64(Box::into_raw(span) as u64)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        let mut fields = span_of(id).fields.lock().unwrap_or_else(PoisonError::into_inner);
        values.record(&mut Fields { fields: &mut fields, message: None });
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let span = if event.is_contextual() { innermost() } else { event.parent().cloned() };
        let span = span.as_ref().map(span_of);
        let metadata = event.metadata();
        let mut line = Line::new(level_of(metadata), metadata.target(), String::new());
        let mut visitor = Fields { fields: &mut line.fields, message: None };
        event.record(&mut visitor);
        line.message = visitor.message.unwrap_or_default();
        line.span = span.map_or(0, |span| span.number);
        line.parent_span = span.map_or(0, |span| span.parent_number);
        let mut around = span;
        if let Some(span) = span {
            line.fields.push(Field::new("span", span.metadata.name().into()));
        }
        while let Some(span) = around {
            let fields = span.fields.lock().unwrap_or_else(PoisonError::into_inner);
            for field in fields.iter() {
                // What is further inside says it more exactly.
                if !line.fields.iter().any(|known| known.name == field.name) {
                    line.fields.push(field.clone());
                }
            }
            drop(fields);
            around = span.parent.as_ref().map(span_of);
        }
        let owner = scope::current().or_else(|| span.and_then(|span| span.owner.clone()));
        scope::log(owner.as_ref(), &line);
    }

    fn enter(&self, id: &Id) {
        let _ = STACK.try_with(|stack| stack.borrow_mut().push(self.clone_span(id)));
    }

    fn exit(&self, id: &Id) {
        let left = STACK.try_with(|stack| {
            let mut stack = stack.borrow_mut();
            let at = stack.iter().rposition(|entered| entered == id)?;
            Some(stack.remove(at))
        });
        if let Ok(Some(id)) = left {
            self.try_close(id);
        }
    }

    fn clone_span(&self, id: &Id) -> Id {
        span_of(id).references.fetch_add(1, Ordering::Relaxed);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        if span_of(&id).references.fetch_sub(1, Ordering::AcqRel) > 1 {
            return false;
        }
        // SAFETY: the last reference is gone.
        let span = unsafe { Box::from_raw(id.into_u64() as *mut Span) };
        if let Some(parent) = span.parent {
            self.try_close(parent);
        }
        true
    }

    fn current_span(&self) -> Current {
        match innermost() {
            Some(id) => {
                let metadata = span_of(&id).metadata;
                Current::new(id, metadata)
            }
            None => Current::none(),
        }
    }
}

struct Fields<'a> {
    fields: &'a mut Vec<Field>,
    message: Option<String>,
}

impl Fields<'_> {
    fn push(&mut self, field: &TracingField, value: Value<'_>) {
        self.fields.retain(|known| known.name != field.name());
        self.fields.push(Field::new(field.name(), value));
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &TracingField, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = Some(text);
        } else {
            self.push(field, Value::Text(&text));
        }
    }

    fn record_str(&mut self, field: &TracingField, value: &str) {
        if field.name() == "message" {
            self.message = Some(value.to_owned());
        } else {
            self.push(field, value.into());
        }
    }

    fn record_i64(&mut self, field: &TracingField, value: i64) {
        self.push(field, value.into());
    }

    fn record_u64(&mut self, field: &TracingField, value: u64) {
        self.push(field, value.into());
    }

    fn record_f64(&mut self, field: &TracingField, value: f64) {
        self.push(field, value.into());
    }

    fn record_bool(&mut self, field: &TracingField, value: bool) {
        self.push(field, value.into());
    }
}
