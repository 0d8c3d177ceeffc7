//! Strikes secrets out of texts before they go anywhere.

use super::Secret;

const STARS: &str = "***";

/// The secrets of one repository.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// Longest first: one that is part of another must not leave the other's rest.
    secrets: Vec<Secret>,
}

impl Redactor {
    /// One that knows these secrets. Those of several lines are known by each line too: texts come by the line.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut known = Vec::new();
        for secret in secrets {
            let value = secret.expose();
            known.push(value.to_owned());
            known.extend(value.lines().map(str::to_owned));
            known.extend(url_passwords(value));
        }
        known.retain(|value| !value.trim().is_empty());
        known.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        known.dedup();
        Self { secrets: known.into_iter().map(Secret::new).collect() }
    }

    /// The text without them, and without the password of any URL in it.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let plain = self.secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.expose()) { text.replace(secret.expose(), STARS) } else { text }
        });
        without_url_passwords(&plain)
    }
}

/// The password in a whole URL, as it stands there and with its escapes turned back. It ends at the last `@`: one that
/// was not escaped may hold anything.
pub(super) fn url_passwords(url: &str) -> Vec<String> {
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    match user.and_then(|user| user.split_once(':')) {
        Some((_, password)) => vec![password.to_owned(), decoded(password)],
        None => Vec::new(),
    }
}

/// `%40` and its like turned back.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        if let (b'%', Some(byte)) = (first, code.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            bytes.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn without_url_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "/\"'<>".contains(c)).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        clean.push_str("://");
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((user, host)) => clean.extend([user, ":", STARS, "@", host]),
            None => clean.push_str(authority),
        }
        clean.push_str(rest);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<_> = secrets.iter().map(|text| Secret::new((*text).to_owned())).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn secrets_are_struck_out_wherever_they_stand() {
        let redactor = redactor(&["hunter", "hunter22", ""]);
        assert_eq!(redactor.redact("with hunter22 and xhunterx"), "with *** and x***x");
    }

    #[test]
    fn each_line_of_a_long_secret_is_one() {
        assert_eq!(redactor(&["BEGIN\nabc"]).redact("saw abc"), "saw ***");
    }

    #[test]
    fn passwords_of_urls_are_struck_out_even_when_nobody_named_them() {
        let text =
            redactor(&[]).redact(r#"Head "http://me:pa:ss@host:1/x@y": no; rest:https://a@b/ and s://c:d@e"#);
        assert_eq!(text, r#"Head "http://me:***@host:1/x@y": no; rest:https://a@b/ and s://c:***@e"#);
    }

    #[test]
    fn the_password_of_a_secret_url_is_a_secret_itself_escaped_and_not() {
        let redactor = redactor(&["rest:https://me:p%40s/s@host/"]);
        assert_eq!(redactor.redact("p%40s/s p@s/s %zz"), "*** *** %zz");
    }
}
