//! A reaction that appends each payload to a file, as a line.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use busbar::{Batch, Config, Context, Error, Flushed, Reaction, Result, ResultExt, Start, Written};

#[derive(Config)]
struct Settings {
    /// The file; made where it is missing
    path: PathBuf,
}

struct Append {
    settings: Settings,
    file: Option<BufWriter<File>>,
}

impl Append {
    fn file(&mut self) -> Result<&mut BufWriter<File>> {
        self.file
            .as_mut()
            .ok_or_else(|| Error::fatal("Not started"))
    }
}

#[busbar::component]
impl Reaction for Append {
    type Config = Settings;
    const NAME: &'static str = "append";
    const DESCRIPTION: &'static str = "Appends each payload to a file, as a line";
    const BLOCKING: bool = true;

    fn create(_: &Context, settings: Settings) -> Result<Self> {
        Ok(Self {
            settings,
            file: None,
        })
    }

    fn start(&mut self, _: &Start<'_>) -> Result<()> {
        let path = &self.settings.path;
        let file = File::options().create(true).append(true).open(path);
        let file = file.explain(|| format!("Cannot open {path:?}"))?;
        self.file = Some(BufWriter::new(file));
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.file()?.flush()?;
        self.file = None;
        Ok(())
    }

    /// What is accepted may come again after a crash, until flush has returned.
    fn write(&mut self, batch: Batch<'_>) -> Result<Written> {
        let file = self.file()?;
        for record in batch.records() {
            file.write_all(record?.payload())?;
            file.write_all(b"\n")?;
        }
        Ok(Written::All)
    }

    fn flush(&mut self) -> Result<Flushed> {
        let file = self.file()?;
        file.flush()?;
        file.get_ref().sync_data()?;
        Ok(Flushed::Done)
    }
}

busbar::export_plugin!(Append);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::Event;
    use busbar::testing::Harness;

    #[test]
    fn appends_lines() {
        let path = std::env::temp_dir().join(format!("append_{}.log", std::process::id()));
        let config = format!(r#"{{"path": {path:?}}}"#);
        let mut append = Harness::<Append>::create(&config).unwrap();
        append.start().unwrap();
        append
            .write(&[Event::text("one"), Event::text("two")])
            .unwrap();
        append.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn says_why_it_cannot_start() {
        let config = r#"{"path": "/no-such-folder/a.log"}"#;
        let mut append = Harness::<Append>::create(config).unwrap();
        let failure = append.start().unwrap_err();
        assert!(failure.message.contains("/no-such-folder/a.log"));
    }
}
