//! A service that answers with its input in capitals.

use busbar::{Answer, Call, Context, Error, NoConfig, Result, Service};

struct Shout;

#[busbar::component]
impl Service for Shout {
    type Config = NoConfig;
    const NAME: &'static str = "shout";
    const DESCRIPTION: &'static str = "Answers with its input in capitals";

    fn create(_: &Context, _: NoConfig) -> Result<Self> {
        Ok(Self)
    }

    fn execute(&self, call: &Call<'_>) -> Result<Answer> {
        if call.body().is_empty() {
            return Err(Error::invalid("Cannot shout: the input is empty"));
        }
        Ok(Answer::new(call.body().to_ascii_uppercase()))
    }
}

busbar::export_plugin!(Shout);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::testing::{Harness, Request};

    fn shout(body: &[u8]) -> Result<Answer, busbar::testing::Failure> {
        let mut shout = Harness::<Shout>::create("{}").unwrap();
        shout.start().unwrap();
        shout.execute(&Request {
            body,
            ..Request::default()
        })
    }

    #[test]
    fn answers_in_capitals() {
        assert_eq!(shout(b"hello").unwrap().body, b"HELLO");
    }

    #[test]
    fn refuses_an_empty_input() {
        let failure = shout(b"").unwrap_err();
        assert_eq!(failure.message, "Cannot shout: the input is empty");
    }
}
