//! `busbar.h` in Rust: the same names without their prefix, the same order, the same meaning. A test compares every
//! size, offset and constant with the header. Authors of plugins need nothing of it.
#![allow(missing_docs)]

use std::ffi::{c_char, c_void};

/// Names the version of the contract that this crate was written for.
pub const ABI_HASH: &str = "bd837497349b1a89fd5bd785b65086206a7e2590ce7b0049cb18bd700e218707";
pub const ABI_MAJOR: u32 = 0;
pub const ABI_MINOR: u32 = 1;

pub const OK: i32 = 0;
pub const AGAIN: i32 = 1;
pub const MORE: i32 = 2;
pub const DONE: i32 = 3;
pub const PENDING: i32 = 4;
pub const FAILED: i32 = -1;
pub const INVALID: i32 = -2;
pub const FATAL: i32 = -3;

pub const SOURCE: u32 = 1;
pub const PROCESSOR: u32 = 2;
pub const REACTION: u32 = 3;
pub const BOOTSTRAP: u32 = 4;
pub const SERVICE: u32 = 5;
pub const HOOK: u32 = 6;

pub const OP_MESSAGE: u8 = 0;
pub const OP_INSERT: u8 = 1;
pub const OP_UPDATE: u8 = 2;
pub const OP_DELETE: u8 = 3;

pub const CONTENT_BYTES: u8 = 0;
pub const CONTENT_TEXT: u8 = 1;
pub const CONTENT_JSON: u8 = 2;
pub const CONTENT_MSGPACK: u8 = 3;
pub const CONTENT_CBOR: u8 = 4;
pub const CONTENT_PROTOBUF: u8 = 5;
pub const CONTENT_AVRO: u8 = 6;
pub const CONTENT_ARROW: u8 = 7;

pub const RECORD_MARKED: u32 = 1;
pub const RECORD_BOOTSTRAP: u32 = 2;
pub const RECORD_TRUNCATED: u32 = 4;

pub const RECORD_ALIGN: u32 = 8;
pub const RECORD_MAX: u32 = 0x7fff_fff8;
pub const POSITION_MAX: u32 = 65536;
pub const ERROR_CAPACITY: u32 = 4096;

pub const BATCH_REPLAY: u32 = 1;
pub const BATCH_DRAIN: u32 = 2;

pub const LOG_TRACE: i32 = 1;
pub const LOG_DEBUG: i32 = 2;
pub const LOG_INFO: i32 = 3;
pub const LOG_WARNING: i32 = 4;
pub const LOG_ERROR: i32 = 5;
pub const LOG_FATAL: i32 = 6;

pub const FIELD_STRING: u32 = 0;
pub const FIELD_NUMBER: u32 = 1;
pub const FIELD_BOOL: u32 = 2;
pub const FIELD_JSON: u32 = 3;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record {
    pub size: u32,
    pub operation: u8,
    pub content_type: u8,
    pub source: u16,
    pub timestamp: i64,
    pub sequence: u64,
    pub key_length: u32,
    pub payload_length: u32,
    pub attributes_length: u32,
    pub flags: u32,
}

/// `busbar_string_t`: UTF-8 text.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Text {
    pub data: *const c_char,
    pub length: u64,
}

/// `busbar_bytes_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub data: *const u8,
    pub length: u64,
}

#[repr(C)]
pub struct Batch {
    pub size: u32,
    pub flags: u32,
    pub data: *mut u8,
    pub capacity: u64,
    pub length: u64,
    pub count: u32,
    pub limit: u32,
    pub next_sequence: u64,
    pub done: u32,
    pub source: u32,
    pub cursor: u64,
    pub required: u64,
    pub id: u64,
    pub now: i64,
    pub position: *mut u8,
    pub position_length: u32,
    pub position_capacity: u32,
    pub loan: *mut c_void,
    pub out: *mut *mut Batch,
    pub out_count: u32,
    pub reserved0: u32,
    pub reserved: [u64; 4],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Field {
    pub name: Text,
    pub value: Text,
    pub kind: u32,
    pub reserved0: u32,
}

#[repr(C)]
pub struct LogRecord {
    pub size: u32,
    pub level: i32,
    pub target: Text,
    pub message: Text,
    pub timestamp: i64,
    pub span_id: u64,
    pub parent_span_id: u64,
    pub fields: *const Field,
    pub field_count: u32,
    pub reserved0: u32,
}

#[repr(C)]
pub struct Host {
    pub size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved0: u32,
    pub log_level: *const i32,
    pub log: unsafe extern "C" fn(*const Context, *const LogRecord),
    pub counter: unsafe extern "C" fn(*const Context, Text, u64),
    pub gauge: unsafe extern "C" fn(*const Context, Text, f64),
    pub histogram: unsafe extern "C" fn(*const Context, Text, f64),
    pub wake: unsafe extern "C" fn(*const Context),
    pub complete: unsafe extern "C" fn(*const Context, u64, i32, u32, Text),
    pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
    pub reserved: [u64; 8],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Acknowledged {
    pub source_id: Text,
    pub sequence: u64,
    pub source: u32,
    pub reserved0: u32,
}

#[repr(C)]
pub struct Context {
    pub size: u32,
    pub reserved0: u32,
    pub host: *const Host,
    pub pipeline_id: Text,
    pub component_id: Text,
    pub config: Text,
    pub plugin_directory: Text,
    pub data_directory: Text,
    pub error: *mut c_char,
    pub error_capacity: u32,
    pub partition_index: u32,
    pub partition_count: u32,
    pub acknowledged_count: u32,
    pub acknowledged: *const Acknowledged,
    pub position: Bytes,
    pub internal: *mut c_void,
    pub component: Text,
    pub reserved: [u64; 2],
}

#[repr(C)]
pub struct State {
    pub size: u32,
    pub version: u32,
    pub data: Bytes,
}

#[repr(C)]
pub struct Health {
    pub size: u32,
    pub reserved0: u32,
    pub message: Text,
}

/// A call that takes the instance and a batch.
pub type BatchCall = unsafe extern "C" fn(*mut c_void, *mut Batch) -> i32;
/// A call that takes the instance alone.
pub type PlainCall = unsafe extern "C" fn(*mut c_void) -> i32;
/// A call of a service or hook.
pub type RequestCall = unsafe extern "C" fn(*mut c_void, *mut Call) -> i32;

#[repr(C)]
pub struct Lifecycle {
    pub size: u32,
    pub reserved0: u32,
    pub create: unsafe extern "C" fn(*const Context, *mut *mut c_void) -> i32,
    pub restore: Option<unsafe extern "C" fn(*mut c_void, *const State) -> i32>,
    pub start: Option<PlainCall>,
    pub stop: Option<PlainCall>,
    pub save: Option<unsafe extern "C" fn(*mut c_void, *mut State) -> i32>,
    pub destroy: unsafe extern "C" fn(*mut c_void),
    pub health: Option<unsafe extern "C" fn(*mut c_void, *mut Health) -> i32>,
    pub reserved: [Option<unsafe extern "C" fn()>; 4],
}

#[repr(C)]
pub struct Source {
    pub lifecycle: Lifecycle,
    pub poll: BatchCall,
    pub commit: Option<unsafe extern "C" fn(*mut c_void, *const Bytes) -> i32>,
    pub release: Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>,
}

#[repr(C)]
pub struct Processor {
    pub lifecycle: Lifecycle,
    pub process: BatchCall,
    pub tick: Option<BatchCall>,
}

#[repr(C)]
pub struct Reaction {
    pub lifecycle: Lifecycle,
    pub write: BatchCall,
    pub flush: Option<PlainCall>,
    pub tick: Option<BatchCall>,
}

#[repr(C)]
pub struct Bootstrap {
    pub lifecycle: Lifecycle,
    pub fetch: BatchCall,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    pub name: Text,
    pub value: Text,
}

#[repr(C)]
pub struct Call {
    pub size: u32,
    pub slot: u32,
    pub id: u64,
    pub deadline: i64,
    pub method: Text,
    pub path: Text,
    pub query: Text,
    pub headers: *const Header,
    pub body: Bytes,
    pub header_count: u32,
    pub answer_status: u32,
    pub answer_headers: *const Header,
    pub answer: Bytes,
    pub answer_header_count: u32,
    pub reserved0: u32,
    pub error: *mut c_char,
    pub error_capacity: u32,
    pub reserved1: u32,
    pub reserved: [u64; 2],
}

#[repr(C)]
pub struct Service {
    pub lifecycle: Lifecycle,
    pub execute: RequestCall,
}

#[repr(C)]
pub struct Hook {
    pub lifecycle: Lifecycle,
    pub before_request: Option<RequestCall>,
    pub handle: Option<RequestCall>,
    pub after_response: Option<RequestCall>,
}

#[repr(C)]
pub struct Component {
    pub size: u32,
    pub kind: u32,
    pub name: *const c_char,
    pub table: *const c_void,
}

#[repr(C)]
pub struct Plugin {
    pub size: u32,
    pub component_count: u32,
    pub components: *const *const Component,
    pub extension: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
    pub reserved: [u64; 4],
}

// SAFETY: the tables are constant data.
unsafe impl Sync for Component {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

impl Text {
    pub(crate) const EMPTY: Self = Self { data: std::ptr::null(), length: 0 };

    pub(crate) const fn new(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), length: text.len() as u64 }
    }

    /// # Safety
    /// The host's text lives as long as `'a`.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the contract says that `length` bytes can be read.
        unsafe { std::slice::from_raw_parts(self.data.cast(), self.length as usize) }
    }

    /// # Safety
    /// As for [`Text::bytes`].
    pub(crate) unsafe fn to_text(self) -> String {
        // SAFETY: passed on to the caller.
        String::from_utf8_lossy(unsafe { self.bytes() }).into_owned()
    }
}

impl Bytes {
    pub(crate) const EMPTY: Self = Self { data: std::ptr::null(), length: 0 };

    pub(crate) const fn new(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), length: bytes.len() as u64 }
    }

    /// # Safety
    /// The memory lives as long as `'a`.
    pub(crate) unsafe fn slice<'a>(self) -> &'a [u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the contract says that `length` bytes can be read.
        unsafe { std::slice::from_raw_parts(self.data, self.length as usize) }
    }
}
