use proptest::prelude::*;

use super::*;

const TIME: &str = "2026-11-20T09:00:00.123456789Z";

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&[kind, 0, 0, 0], length.to_be_bytes().as_slice(), payload].concat()
}

fn decode<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Result<Vec<Written>, String> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut found)?;
    }
    decoder.finish(&mut found);
    Ok(found)
}

fn written(stream: OutputStream, text: &str, ends: bool) -> Written {
    Written { at: TIME.parse().unwrap(), stream, bytes: text.as_bytes().to_vec(), ends }
}

#[test]
fn frames_tell_the_stream_the_time_and_the_text() {
    use OutputStream::{Stderr, Stdout};
    let bytes = [
        frame(1, format!("{TIME} out\n").as_bytes()),
        frame(2, format!("{TIME} err\n").as_bytes()),
        frame(1, b""),
        frame(1, format!("{TIME} half").as_bytes()),
        frame(1, format!("{TIME} \n").as_bytes()),
    ];
    let wanted = [
        written(Stdout, "out", true),
        written(Stderr, "err", true),
        written(Stdout, "half", false),
        written(Stdout, "", true),
    ];
    assert_eq!(decode([bytes.concat().as_slice()]), Ok(wanted.to_vec()));
}

#[test]
fn a_terminal_has_lines_without_frames() {
    let text = format!("{TIME} one\r\n{TIME} \r\n{TIME} open");
    let wanted = [("one", true), ("", true), ("open", false)];
    let wanted = wanted.map(|(text, ends)| written(OutputStream::Stdout, text, ends));
    assert_eq!(decode([text.as_bytes()]), Ok(wanted.to_vec()));
}

#[test]
fn an_error_of_the_engine_in_the_middle_is_one() {
    let bytes = [frame(1, format!("{TIME} out\n").as_bytes()), frame(3, b"error grabbing logs: EOF\n")];
    assert_eq!(decode([bytes.concat().as_slice()]), Err("error grabbing logs: EOF".to_owned()));
    assert!(decode([[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1].as_slice()]).is_err());
    assert!(decode([[1, 2, 3, 4, 5, 6, 7, 8].as_slice()]).is_err());
}

#[test]
fn without_a_time_the_one_before_counts() {
    let bytes = [frame(1, format!("{TIME} out\n").as_bytes()), frame(1, b"odd\n")].concat();
    let found = decode([bytes.as_slice()]).unwrap();
    assert_eq!(found[1], written(OutputStream::Stdout, "odd", true));
}

#[test]
fn what_never_ends_is_cut_and_nothing_of_it_is_lost() {
    let long = "x".repeat(3 * LONGEST + 5);
    for bytes in [frame(1, format!("{TIME} {long}\n").as_bytes()), format!("{TIME} {long}\r\n").into_bytes()]
    {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for piece in bytes.chunks(1000) {
            decoder.push(piece, &mut found).unwrap();
            assert!(decoder.held.capacity() <= 2 * LONGEST);
        }
        decoder.finish(&mut found);
        let ends: Vec<bool> = found.iter().map(|entry| entry.ends).collect();
        assert_eq!(ends, [false, false, false, true]);
        assert!(found.iter().all(|entry| entry.at == found[0].at));
        let text: Vec<u8> = found.into_iter().flat_map(|entry| entry.bytes).collect();
        assert_eq!(text, long.as_bytes());
    }
}

proptest! {
    #[test]
    fn entries_are_the_same_however_the_bytes_are_cut(
        texts in prop::collection::vec((1_u8..3, "[ a-zß\\x00\\x1b]{0,30}\n?"), 0..10),
        cuts in prop::collection::vec(1_usize..50, 1..30),
    ) {
        let frames = texts.iter().map(|(kind, text)| frame(*kind, format!("{TIME} {text}").as_bytes()));
        let bytes: Vec<u8> = frames.flatten().collect();
        let mut pieces = Vec::new();
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        let found = decode(pieces).unwrap();
        let wanted: Vec<Written> = texts.iter().map(|(kind, text)| {
            written(stream(*kind), text.trim_end_matches('\n'), text.ends_with('\n'))
        }).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn any_bytes_end_well(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let _ = decode(pieces.iter().map(Vec::as_slice));
    }
}
