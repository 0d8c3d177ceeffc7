//! The tree of a text that is strict JSON, in one pass: with every command the file is read, and a good one is the rule.
//! What is not strict JSON goes to the parsers of others, which can say why.

use std::borrow::Cow;

use jsonc_parser::ast::{
    Array, BooleanLit, NullKeyword, NumberLit, Object, ObjectProp, ObjectPropName, StringLit, Value,
};
use jsonc_parser::common::Range;

/// The tree; nothing where the text is no JSON, or nested deeper than that.
pub(super) fn tree(text: &str, deepest: usize) -> Option<Value<'_>> {
    let mut reader = Reader { text, at: 0, elements: Vec::new(), properties: Vec::new() };
    let value = reader.value(deepest)?;
    reader.space();
    (reader.at == text.len()).then_some(value)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Elements of lists and properties of objects that have not ended yet, so that each gets a vector of its size:
    /// touching memory for the first time costs more than all of the reading.
    elements: Vec<Value<'t>>,
    properties: Vec<ObjectProp<'t>>,
}

impl<'t> Reader<'t> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    /// Goes past a byte if it is that one.
    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.byte() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// From there to here.
    fn since(&self, start: usize) -> Range {
        Range { start, end: self.at }
    }

    /// The value that comes next; objects and lists may be in one another so many times.
    fn value(&mut self, levels: usize) -> Option<Value<'t>> {
        self.space();
        let start = self.at;
        match self.byte()? {
            b'"' => self.string().map(Value::StringLit),
            b'{' => self.object(levels.checked_sub(1)?).map(Value::Object),
            b'[' => self.array(levels.checked_sub(1)?).map(Value::Array),
            b'n' => {
                self.word("null")?;
                Some(Value::NullKeyword(NullKeyword { range: self.since(start) }))
            }
            b't' => self.boolean("true", true),
            b'f' => self.boolean("false", false),
            _ => {
                self.number()?;
                let value = self.text.get(start..self.at)?;
                Some(Value::NumberLit(NumberLit { range: self.since(start), value }))
            }
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let follows = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        follows.then_some(())
    }

    fn boolean(&mut self, word: &str, value: bool) -> Option<Value<'t>> {
        let start = self.at;
        self.word(word)?;
        Some(Value::BooleanLit(BooleanLit { range: self.since(start), value }))
    }

    fn number(&mut self) -> Option<()> {
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Some(())
    }

    /// One digit at least.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn string(&mut self) -> Option<StringLit<'t>> {
        let (start, mut is_plain) = (self.at, true);
        if !self.takes(b'"') {
            return None;
        }
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    is_plain = false;
                    self.at += 2;
                }
                _ => return None,
            }
        }
        self.at += 1;
        let value = if is_plain {
            Cow::Borrowed(self.text.get(start + 1..self.at - 1)?)
        } else {
            Cow::Owned(serde_json::from_str(self.text.get(start..self.at)?).ok()?)
        };
        Some(StringLit { range: self.since(start), value })
    }

    fn array(&mut self, levels: usize) -> Option<Array<'t>> {
        let (start, first) = (self.at, self.elements.len());
        self.at += 1;
        self.space();
        if !self.takes(b']') {
            loop {
                let element = self.value(levels)?;
                self.elements.push(element);
                if self.ends(b']')? {
                    break;
                }
            }
        }
        Some(Array { range: self.since(start), elements: self.elements.split_off(first) })
    }

    fn object(&mut self, levels: usize) -> Option<Object<'t>> {
        let (start, first) = (self.at, self.properties.len());
        self.at += 1;
        self.space();
        if !self.takes(b'}') {
            loop {
                let property = self.property(levels)?;
                self.properties.push(property);
                if self.ends(b'}')? {
                    break;
                }
            }
        }
        Some(Object { range: self.since(start), properties: self.properties.split_off(first) })
    }

    fn property(&mut self, levels: usize) -> Option<ObjectProp<'t>> {
        self.space();
        let start = self.at;
        let name = ObjectPropName::String(self.string()?);
        self.space();
        if !self.takes(b':') {
            return None;
        }
        let value = self.value(levels)?;
        Some(ObjectProp { range: self.since(start), name, value })
    }

    /// Whether this was the last one, which that bracket comes after; if not, there is a comma.
    fn ends(&mut self, bracket: u8) -> Option<bool> {
        self.space();
        if self.takes(b',') { Some(false) } else { self.takes(bracket).then_some(true) }
    }
}
