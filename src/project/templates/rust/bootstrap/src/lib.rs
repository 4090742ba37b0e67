//! A bootstrap that gives numbered elements.

use busbar::{Appender, Bootstrap, Config, Content, Context, Event, Fetched};
use busbar::{Operation, Result, Start};

#[derive(Config)]
struct Settings {
    /// How many elements there are
    #[config(default = 3)]
    count: u64,
}

struct Elements {
    settings: Settings,
    next: u64,
}

#[busbar::component]
impl Bootstrap for Elements {
    type Config = Settings;
    const NAME: &'static str = "elements";
    const DESCRIPTION: &'static str = "Gives numbered elements";

    fn create(_: &Context, settings: Settings) -> Result<Self> {
        Ok(Self { settings, next: 0 })
    }

    fn start(&mut self, _: &Start<'_>) -> Result<()> {
        self.next = 0;
        Ok(())
    }

    fn fetch(&mut self, batch: &mut Appender<'_>) -> Result<Fetched> {
        while self.next < self.settings.count {
            let number = self.next + 1;
            let payload = format!(r#"{{"number":{number}}}"#);
            let key = format!("element-{number}");
            let element = Event::new(payload.as_bytes())
                .key(key.as_bytes())
                .content(Content::JSON)
                .operation(Operation::INSERT);
            batch.append(&element)?;
            self.next = number;
        }
        Ok(Fetched::Done)
    }
}

busbar::export_plugin!(Elements);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::testing::Harness;

    #[test]
    fn gives_every_element_once() {
        let mut elements = Harness::<Elements>::create(r#"{"count": 3}"#).unwrap();
        elements.arena(4096, 2);
        elements.start().unwrap();
        let all = elements.fetch_all().unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[2].key, b"element-3");
        assert_eq!(all[2].payload, br#"{"number":3}"#);
    }
}
