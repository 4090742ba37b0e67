//! pass-through: copies every record as it is.

use busbar::{Context, NoConfig, Processor, Result, Transform};

struct Pass;

#[busbar::component]
impl Processor for Pass {
    type Config = NoConfig;
    const NAME: &'static str = "pass";
    const DESCRIPTION: &'static str = "Copies every record as it is";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn process(&mut self, batch: &mut Transform<'_>) -> Result<()> {
        while let Some(record) = batch.next_record()? {
            batch.out(0).copy(&record)?;
        }
        Ok(())
    }
}

busbar::export_plugin!(Pass);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::{Event, testing::Harness};

    #[test]
    fn copies_everything_in_order_through_outputs_of_any_size() {
        let events =
            [Event::text("a").key(b"k").timestamp(7), Event::new(&[0; 500]), Event::text("")];
        for bytes in [0, 48, 64, 600, 4096] {
            let mut pass = Harness::<Pass>::create("{}").unwrap();
            pass.arena(bytes, 2).start().unwrap();
            let out = pass.process(&events).unwrap().remove(0);
            let sequences: Vec<_> = out.iter().map(|record| record.sequence).collect();
            assert_eq!(sequences, [1, 2, 3]);
            assert_eq!(
                (&*out[0].key, &*out[0].payload, out[0].timestamp),
                (&b"k"[..], &b"a"[..], 7)
            );
            assert_eq!(out[1].payload, [0; 500]);
        }
    }
}
