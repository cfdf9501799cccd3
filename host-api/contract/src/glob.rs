//! Wildcard matching in time linear in pattern times subject: patterns come from manifests, subjects from Data Sources and
//! connectors, and none of them may make the host think for long.

/// A part of a pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    /// These bytes.
    Exact(&'a [u8]),
    /// From `min` to `max` bytes, none of them `not`.
    Any { min: usize, max: usize, not: Option<u8> },
}

/// Whether the parts, one behind the other, make up the whole subject.
pub(crate) fn matches(parts: &[Part<'_>], subject: &[u8]) -> bool {
    // reached[i]: the parts so far can end before byte i.
    let mut reached = vec![false; subject.len() + 1];
    reached[0] = true;
    for part in parts {
        reached = match *part {
            Part::Exact(bytes) => exact(&reached, subject, bytes),
            Part::Any { min, max, not } => any(&reached, subject, (min, max), not),
        };
    }
    reached[subject.len()]
}

fn exact(reached: &[bool], subject: &[u8], bytes: &[u8]) -> Vec<bool> {
    let mut next = vec![false; reached.len()];
    for start in (0..reached.len()).filter(|&start| reached[start]) {
        if subject[start..].starts_with(bytes) {
            next[start + bytes.len()] = true;
        }
    }
    next
}

fn any(reached: &[bool], subject: &[u8], (min, max): (usize, usize), not: Option<u8>) -> Vec<bool> {
    let mut next = vec![false; reached.len()];
    // The latest possible start leaves the shortest gap: if that one doesn't do, none does.
    let mut start = None;
    let mut after_not = 0;
    for end in 0..reached.len() {
        if end > 0 && Some(subject[end - 1]) == not {
            after_not = end;
        }
        if end >= min && reached[end - min] {
            start = Some(end - min);
        }
        next[end] = start.is_some_and(|start| start >= after_not && end - start <= max);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::{Part, matches};

    #[test]
    fn wildcards_keep_their_bounds() {
        let segment = Part::Any { min: 1, max: usize::MAX, not: Some(b'/') };
        let rest = Part::Any { min: 0, max: usize::MAX, not: None };
        let two = Part::Any { min: 1, max: 2, not: None };
        let cases: &[(&[Part<'_>], &str, bool)] = &[
            (&[Part::Exact(b"/a/"), segment, Part::Exact(b"/c")], "/a/b/c", true),
            (&[Part::Exact(b"/a/"), segment, Part::Exact(b"/c")], "/a//c", false),
            (&[Part::Exact(b"/a/"), segment, Part::Exact(b"/c")], "/a/b/b/c", false),
            (&[Part::Exact(b"/a/"), segment, Part::Exact(b"/c")], "/a/b/c/", false),
            (&[Part::Exact(b"/a"), rest], "/a", true),
            (&[Part::Exact(b"/a"), rest], "/a/b/c", true),
            (&[two, Part::Exact(b"x"), two], "xxx", true),
            (&[two, Part::Exact(b"x"), two], "axb", true),
            (&[two, Part::Exact(b"x"), two], "aaxbb", true),
            (&[two, Part::Exact(b"x"), two], "aaxxbb", false),
            (&[two, Part::Exact(b"x"), two], "aaaxb", false),
            (&[two, Part::Exact(b"x"), two], "xb", false),
            (&[], "", true),
            (&[], "a", false),
        ];
        for (parts, subject, expected) in cases {
            assert_eq!(matches(parts, subject.as_bytes()), *expected, "{parts:?} on {subject}");
        }
    }
}
