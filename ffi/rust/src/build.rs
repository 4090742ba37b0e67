//! For build scripts: what only the build knows of a plugin's manifest. `build.rs` of a plugin has nothing in `main` but
//!
//! ```no_run
//! busbar::build::emit();
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::abi;
use crate::json::quoted;

/// Writes name, version, description and licence of `Cargo.toml`, compiler, target, profile, flags, the checksums of
/// `Cargo.lock` and the build time for [`export_plugin!`](crate::export_plugin) to embed.
///
/// The build time is `SOURCE_DATE_EPOCH`, else that of the folder's last commit, else 1970: never the clock.
///
/// # Panics
/// With a message that says what to do, where the package cannot be a plugin.
pub fn emit() {
    let folder = PathBuf::from(var("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(var("OUT_DIR"));
    for (file, text) in [("busbar_head.json", head()), ("busbar_build.json", build(&folder))] {
        let path = out.join(file);
        std::fs::write(&path, text)
            .unwrap_or_else(|error| panic!("Cannot write \"{}\": {error}", path.display()));
    }
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: call this in a build script"))
}

fn head() -> String {
    let name = var("CARGO_PKG_NAME");
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(
        name.len() <= 64
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(fits),
        "Cannot make a plugin of package \"{name}\": rename it in Cargo.toml to lower-case letters, digits and \"-\", \
         a letter first"
    );
    let mut members =
        vec![("name", quoted(&name).to_string()), ("version", text(&var("CARGO_PKG_VERSION")))];
    for (key, variable) in
        [("description", "CARGO_PKG_DESCRIPTION"), ("license", "CARGO_PKG_LICENSE")]
    {
        let value = env::var(variable).unwrap_or_default();
        if !value.is_empty() {
            members.push((key, text(&value)));
        }
    }
    members.push(("abi", text(&format!("{}.{}", abi::ABI_MAJOR, abi::ABI_MINOR))));
    members.push(("requires_minor", abi::ABI_MINOR.to_string()));
    members.push(("target", text(&var("TARGET"))));
    join(&members, "  ")
}

fn build(folder: &Path) -> String {
    let members = [
        ("language", text("rust")),
        ("toolchain_version", text(&toolchain())),
        ("build_profile", text(&var("PROFILE"))),
        ("build_flags", flags()),
        ("dependency_hashes", dependencies(folder)),
        ("sdk_version", text(env!("CARGO_PKG_VERSION"))),
        ("build_time", text(&timestamp(build_time(folder)))),
    ];
    format!("\"build\": {{\n    {}\n  }}", join(&members, "    "))
}

fn text(value: &str) -> String {
    quoted(value).to_string()
}

fn join(members: &[(&str, String)], indent: &str) -> String {
    let lines: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    lines.join(&format!(",\n{indent}"))
}

/// First line of `rustc --version`.
fn toolchain() -> String {
    let rustc = var("RUSTC");
    let output = Command::new(&rustc).arg("--version").output();
    let output = output.unwrap_or_else(|error| panic!("Cannot run \"{rustc} --version\": {error}"));
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("rustc").to_owned()
}

/// Optimisation, debug information, how panics end, and flags of the author's own. What only maps paths is left out: it
/// differs from machine to machine, and changes nothing.
fn flags() -> String {
    let mut flags = vec![
        format!("opt-level={}", var("OPT_LEVEL")),
        format!("debug={}", var("DEBUG")),
        format!("panic={}", env::var("CARGO_CFG_PANIC").unwrap_or_else(|_| "unwind".into())),
    ];
    let given = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut given = given.split('\x1f').filter(|flag| !flag.is_empty());
    while let Some(flag) = given.next() {
        if flag == "--remap-path-prefix" {
            given.next();
        } else if !flag.starts_with("--remap-path-prefix=") {
            flags.push(flag.to_owned());
        }
    }
    let flags: Vec<_> = flags.iter().map(|flag| format!("      {}", quoted(flag))).collect();
    format!("[\n{}\n    ]", flags.join(",\n"))
}

/// Checksums of the packages that this one needs, as `Cargo.lock` has them.
fn dependencies(folder: &Path) -> String {
    let lock =
        folder.ancestors().map(|folder| folder.join("Cargo.lock")).find(|path| path.exists());
    let Some(lock) = lock else { return "{}".to_owned() };
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = std::fs::read_to_string(&lock).unwrap_or_default();
    let hashes = checksums(&text, &var("CARGO_PKG_NAME"));
    if hashes.is_empty() {
        return "{}".to_owned();
    }
    let lines: Vec<_> = hashes
        .iter()
        .map(|(name, hash)| format!("      {}: {}", quoted(name), quoted(hash)))
        .collect();
    format!("{{\n{}\n    }}", lines.join(",\n"))
}

#[derive(Default)]
struct Package {
    version: String,
    checksum: Option<String>,
    dependencies: Vec<String>,
}

/// `name@version` and checksum of everything that `root` needs, directly or not, and that has a checksum.
fn checksums(lock: &str, root: &str) -> BTreeMap<String, String> {
    let packages = read_lock(lock);
    let mut hashes = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut wanted = vec![(root.to_owned(), None)];
    while let Some((name, version)) = wanted.pop() {
        let found = packages.iter().find(|(known, package)| {
            *known == name && version.as_ref().is_none_or(|version| package.version == *version)
        });
        let Some((_, package)) = found else { continue };
        if !seen.insert((name.clone(), package.version.clone())) {
            continue;
        }
        if let Some(checksum) = &package.checksum {
            hashes.insert(format!("{name}@{}", package.version), checksum.clone());
        }
        for dependency in &package.dependencies {
            // "name", "name version" or "name version (source)".
            let mut words = dependency.split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            wanted.push((name, words.next().map(str::to_owned)));
        }
    }
    hashes
}

/// The lock file is written by cargo, always in the same layout, so no reader of TOML is needed.
fn read_lock(lock: &str) -> Vec<(String, Package)> {
    let mut packages: Vec<(String, Package)> = Vec::new();
    let mut in_package = false;
    for line in lock.lines().map(str::trim) {
        if line.starts_with('[') && line.ends_with(']') {
            in_package = line == "[[package]]";
            if in_package {
                packages.push(Default::default());
            }
            continue;
        }
        let Some((name, package)) = packages.last_mut().filter(|_| in_package) else { continue };
        let value = |text: &str| text.trim_end_matches(',').trim_matches('"').to_owned();
        match line.split_once(" = ") {
            Some(("name", text)) => *name = value(text),
            Some(("version", text)) => package.version = value(text),
            Some(("checksum", text)) => package.checksum = Some(value(text)),
            None if line.starts_with('"') => package.dependencies.push(value(line)),
            _ => {}
        }
    }
    packages
}

fn build_time(folder: &Path) -> u64 {
    if let Ok(epoch) = env::var("SOURCE_DATE_EPOCH") {
        return epoch.parse().unwrap_or_else(|_| {
            panic!(
                "Cannot read SOURCE_DATE_EPOCH: \"{epoch}\" is not a number of seconds since 1970"
            )
        });
    }
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(["log", "-1", "--format=%ct", "--", "."]);
    let output = git.output().ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Seconds since 1970 in ISO 8601.
fn timestamp(seconds: u64) -> String {
    let (days, time) = (seconds / 86400, seconds % 86400);
    // Days since the first of March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let mut text = String::new();
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
        .expect("a String takes everything");
    text
}

#[cfg(test)]
mod tests {
    use super::{checksums, timestamp};

    #[test]
    fn writes_times_as_iso_8601() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(timestamp(1_767_225_599), "2025-12-31T23:59:59.000Z");
    }

    #[test]
    fn takes_from_the_lock_only_what_the_package_needs() {
        let lock = r#"
            version = 4
            [[package]]
            name = "mine"
            version = "1.0.0"
            dependencies = [
             "a",
             "b 2.0.0",
            ]
            [[package]]
            name = "a"
            version = "1.0.0"
            checksum = "aa"
            dependencies = [
             "b 1.0.0 (registry+x)",
            ]
            [[package]]
            name = "b"
            version = "1.0.0"
            checksum = "b1"
            [[package]]
            name = "b"
            version = "2.0.0"
            checksum = "b2"
            [[package]]
            name = "other"
            version = "1.0.0"
            checksum = "cc"
        "#;
        let found: Vec<_> = checksums(lock, "mine").into_iter().collect();
        let expected = [("a@1.0.0", "aa"), ("b@1.0.0", "b1"), ("b@2.0.0", "b2")];
        assert_eq!(found, expected.map(|(name, hash)| (name.to_owned(), hash.to_owned())));
    }
}
