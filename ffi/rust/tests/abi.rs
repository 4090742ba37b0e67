//! Compares the Rust side of the contract with the header, as the C compiler sees it.

use std::fmt::Write as _;
use std::mem::{align_of, offset_of, size_of};
use std::path::Path;
use std::process::Command;

use busbar::abi;

/// What C and Rust say, under one name.
#[derive(Default)]
struct Both {
    c: String,
    rust: String,
}

macro_rules! layout {
    ($both:ident: $($rust:ident = $c:ident { $($field:ident $(= $c_field:ident)?),* })+) => {
        $(
            let name = stringify!($c);
            writeln!($both.rust, "{name} {} {}", size_of::<abi::$rust>(), align_of::<abi::$rust>()).unwrap();
            writeln!($both.c, "printf(\"{name} %zu %zu\\n\", sizeof({name}), _Alignof({name}));").unwrap();
            $(
                #[allow(unused_variables)]
                let field = stringify!($field);
                $(let field = stringify!($c_field);)?
                writeln!($both.rust, "{name}.{field} {}", offset_of!(abi::$rust, $field)).unwrap();
                writeln!($both.c, "printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));").unwrap();
            )*
        )+
    };
}

macro_rules! constants {
    ($both:ident: $($name:ident)+) => {
        $(
            let name = stringify!($name);
            writeln!($both.rust, "{name} {}", abi::$name).unwrap();
            writeln!($both.c, "printf(\"{name} %lld\\n\", (long long)BUSBAR_{name});").unwrap();
        )+
    };
}

fn structs(both: &mut Both) {
    layout!(both:
        Record = busbar_record_t {
            size, operation, content_type, source, timestamp, sequence, key_length, payload_length,
            attributes_length, flags
        }
        Text = busbar_string_t { data, length }
        Bytes = busbar_bytes_t { data, length }
        Batch = busbar_batch_t {
            size, flags, data, capacity, length, count, limit, next_sequence, done, source, cursor, required, id,
            now, position, position_length, position_capacity, loan, out, out_count, reserved0, reserved
        }
        Field = busbar_field_t { name, value, kind = type, reserved0 }
        LogRecord = busbar_log_record_t {
            size, level, target, message, timestamp, span_id, parent_span_id, fields, field_count, reserved0
        }
        Host = busbar_host_t {
            size, abi_major, abi_minor, reserved0, log_level, log, counter, gauge, histogram, wake, complete,
            extension, reserved
        }
        Acknowledged = busbar_acknowledged_t { source_id, sequence, source, reserved0 }
        Context = busbar_context_t {
            size, reserved0, host, pipeline_id, component_id, config, plugin_directory, data_directory, error,
            error_capacity, partition_index, partition_count, acknowledged_count, acknowledged, position,
            internal, component, reserved
        }
        State = busbar_state_t { size, version, data }
        Health = busbar_health_t { size, reserved0, message }
        Lifecycle = busbar_lifecycle_t {
            size, reserved0, create, restore, start, stop, save, destroy, health, reserved
        }
        Source = busbar_source_t { lifecycle, poll, commit, release }
        Processor = busbar_processor_t { lifecycle, process, tick }
        Reaction = busbar_reaction_t { lifecycle, write, flush, tick }
        Bootstrap = busbar_bootstrap_t { lifecycle, fetch }
        Header = busbar_header_t { name, value }
        Call = busbar_call_t {
            size, slot, id, deadline, method, path, query, headers, body, header_count, answer_status,
            answer_headers, answer, answer_header_count, reserved0, error, error_capacity, reserved1, reserved
        }
        Service = busbar_service_t { lifecycle, execute }
        Hook = busbar_hook_t { lifecycle, before_request, handle, after_response }
        Component = busbar_component_t { size, kind, name, table }
        Plugin = busbar_plugin_t { size, component_count, components, extension, reserved }
    );
}

fn numbers(both: &mut Both) {
    constants!(both:
        ABI_MAJOR ABI_MINOR OK AGAIN MORE DONE PENDING FAILED INVALID FATAL SOURCE PROCESSOR REACTION BOOTSTRAP
        SERVICE HOOK OP_MESSAGE OP_INSERT OP_UPDATE OP_DELETE CONTENT_BYTES CONTENT_TEXT CONTENT_JSON
        CONTENT_MSGPACK CONTENT_CBOR CONTENT_PROTOBUF CONTENT_AVRO CONTENT_ARROW RECORD_MARKED RECORD_BOOTSTRAP
        RECORD_TRUNCATED RECORD_ALIGN RECORD_MAX POSITION_MAX ERROR_CAPACITY BATCH_REPLAY BATCH_DRAIN LOG_TRACE
        LOG_DEBUG LOG_INFO LOG_WARNING LOG_ERROR LOG_FATAL FIELD_STRING FIELD_NUMBER FIELD_BOOL FIELD_JSON
    );
}

#[test]
fn is_the_header_in_rust() {
    let mut both = Both::default();
    structs(&mut both);
    numbers(&mut both);
    writeln!(both.rust, "ABI_HASH {}", abi::ABI_HASH).unwrap();
    writeln!(both.c, "printf(\"ABI_HASH %s\\n\", BUSBAR_ABI_HASH);").unwrap();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join("abi_probe.c"), folder.join("abi_probe"));
    let code = format!(
        "#include <stdio.h>\n#include \"busbar.h\"\nint main(void) {{\n{}return 0;\n}}\n",
        both.c
    );
    std::fs::write(&source, code).unwrap();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let built = Command::new(compiler)
        .arg("-std=c11")
        .arg("-I")
        .arg(include)
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let printed = Command::new(&program).output().unwrap().stdout;
    let differences: Vec<_> = std::str::from_utf8(&printed)
        .unwrap()
        .lines()
        .zip(both.rust.lines())
        .filter(|(c, rust)| c != rust)
        .collect();
    assert!(differences.is_empty(), "the header and src/abi.rs differ: {differences:?}");
}

/// The header has no constant that the Rust side lacks.
#[test]
fn has_every_constant_of_the_header() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/busbar.h");
    let header = std::fs::read_to_string(path).unwrap();
    let begin = header.find("FROZEN BEGIN").unwrap();
    let end = header.find("FROZEN END").unwrap();
    let mut both = Both::default();
    numbers(&mut both);
    for line in header[begin..end].lines() {
        let Some(rest) = line.strip_prefix("#define BUSBAR_") else { continue };
        let name = rest.split(' ').next().unwrap();
        assert!(
            both.rust.lines().any(|line| line.starts_with(&format!("{name} "))),
            "{name} is missing"
        );
    }
}
