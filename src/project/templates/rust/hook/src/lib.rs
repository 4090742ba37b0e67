//! A hook that lets only requests with the right token pass.

use busbar::config::Secret;
use busbar::{Answer, Call, Config, Context, Flow, Hook, Result};

#[derive(Config)]
struct Settings {
    /// What the header x-token must hold
    #[config(min_length = 1)]
    token: Secret,
}

struct Guard {
    settings: Settings,
}

#[busbar::component]
impl Hook for Guard {
    type Config = Settings;
    const NAME: &'static str = "guard";
    const DESCRIPTION: &'static str = "Lets only requests with the right token pass";

    fn create(_: &Context, settings: Settings) -> Result<Self> {
        Ok(Self { settings })
    }

    fn before_request(&self, call: &mut Call<'_>) -> Result<Flow> {
        let given = call.header("x-token").unwrap_or_default();
        if same(given.as_bytes(), self.settings.token.reveal().as_bytes()) {
            return Ok(Flow::Continue);
        }
        let answer = Answer::new("the header x-token is missing or wrong\n");
        Ok(Flow::Answered(answer.status(401)))
    }
}

/// Looks at every byte, so that the time it takes does not tell how much was right.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let pairs = given.iter().zip(wanted);
    given.len() == wanted.len() && pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

busbar::export_plugin!(Guard);

#[cfg(test)]
mod tests {
    use super::*;
    use busbar::testing::{Harness, Request};

    fn ask(token: &str) -> Flow {
        let mut guard = Harness::<Guard>::create(r#"{"token": "secret"}"#).unwrap();
        guard.start().unwrap();
        let headers = [("x-token", token)];
        let request = Request {
            headers: &headers,
            ..Request::default()
        };
        guard.before_request(&request).unwrap()
    }

    #[test]
    fn lets_the_right_token_pass() {
        assert_eq!(ask("secret"), Flow::Continue);
    }

    #[test]
    fn refuses_others() {
        let Flow::Answered(answer) = ask("secreT") else {
            panic!("it passed");
        };
        assert_eq!(answer.status, 401);
    }
}
