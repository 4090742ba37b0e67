//! A source that gives numbered greetings.

use busbar::{Appender, Config, Context, Error, Event, Polled, Result, Source, Start};

#[derive(Config)]
struct Settings {
    /// How many greetings there are
    #[config(default = 10)]
    count: u64,
    /// What each begins with
    #[config(default = "hello")]
    text: String,
}

struct Greet {
    settings: Settings,
    /// How many were given; it is also the position.
    next: u64,
}

#[busbar::component]
impl Source for Greet {
    type Config = Settings;
    const NAME: &'static str = "greet";
    const DESCRIPTION: &'static str = "Gives numbered greetings";
    const REPLAYABLE: bool = true;

    /// Takes nothing exclusive.
    fn create(_: &Context, settings: Settings) -> Result<Self> {
        Ok(Self { settings, next: 0 })
    }

    /// Goes on after the position; without one, from the beginning.
    fn start(&mut self, start: &Start<'_>) -> Result<()> {
        let position = start.position();
        self.next = match position {
            [] => 0,
            _ => u64::from_le_bytes(position.try_into().map_err(|_| {
                Error::failed(format!("Cannot resume: {} bytes, not 8", position.len()))
            })?),
        };
        Ok(())
    }

    /// Fills the batch as far as it goes.
    fn poll(&mut self, batch: &mut Appender<'_>) -> Result<Polled> {
        while self.next < self.settings.count {
            let line = format!("{} {}", self.settings.text, self.next + 1);
            batch.append_at(&Event::text(&line), &(self.next + 1).to_le_bytes())?;
            self.next += 1;
        }
        Ok(Polled::Done)
    }
}

busbar::export_plugin!(Greet);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::testing::Harness;

    #[test]
    fn gives_as_many_as_asked_for() {
        let mut greet = Harness::<Greet>::create(r#"{"count": 2, "text": "hi"}"#).unwrap();
        greet.start().unwrap();
        let (polled, events) = greet.poll().unwrap();
        assert_eq!(polled, Polled::Done);
        let lines: Vec<_> = events.iter().map(|event| &event.payload[..]).collect();
        assert_eq!(lines, [b"hi 1", b"hi 2"]);
    }

    #[test]
    fn resumes_after_its_position() {
        let config = r#"{"count": 5, "text": "hi"}"#;
        let mut first = Harness::<Greet>::create(config).unwrap();
        first.arena(4096, 3);
        first.start().unwrap();
        assert_eq!(first.poll().unwrap().1.len(), 3);

        let mut second = Harness::<Greet>::new(config)
            .at_position(first.position(), 4)
            .build()
            .unwrap();
        second.start().unwrap();
        let (_, events) = second.poll().unwrap();
        assert_eq!(events[0].payload, b"hi 4");
        assert_eq!(events.len(), 2);
    }
}
