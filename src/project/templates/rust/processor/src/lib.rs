//! A processor that turns ASCII letters of payloads into capitals.

use busbar::{Config, Context, Processor, Result, Transform};

#[derive(Config)]
struct Settings {
    /// Whether events without a payload are left out
    #[config(default = false)]
    skip_empty: bool,
}

struct Upper {
    settings: Settings,
}

#[busbar::component]
impl Processor for Upper {
    type Config = Settings;
    const NAME: &'static str = "upper";
    const DESCRIPTION: &'static str = "Turns ASCII letters of payloads into capitals";

    fn create(_: &Context, settings: Settings) -> Result<Self> {
        Ok(Self { settings })
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        while let Some(record) = batch.next_record()? {
            if self.settings.skip_empty && record.payload().is_empty() {
                continue;
            }
            let payload = record.payload().to_ascii_uppercase();
            batch
                .out(0)
                .derive(&record, &record.event().payload(&payload))?;
        }
        Ok(())
    }
}

busbar::export_plugin!(Upper);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::Event;
    use busbar::testing::Harness;

    #[test]
    fn makes_capitals() {
        let mut upper = Harness::<Upper>::create(r#"{"skip_empty": true}"#).unwrap();
        upper.start().unwrap();
        let events = [Event::text("hello 1").key(b"k"), Event::text("")];
        let out = upper.process(&events).unwrap();
        assert_eq!(out[0].len(), 1);
        assert_eq!(out[0][0].payload, b"HELLO 1");
        assert_eq!(out[0][0].key, b"k");
    }
}
