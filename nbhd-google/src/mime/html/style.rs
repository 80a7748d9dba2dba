//! What inline styles say about visibility. Style sheets are not read: mail clients strip many of them, and preheaders are
//! hidden inline for that reason.

/// What the attributes of one element say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Visibility {
    /// Neither it nor anything within is shown.
    pub(super) hidden: bool,
    /// Its text has no size; an element within may state another size.
    pub(super) tiny: Option<bool>,
}

/// Reads a `style` attribute.
pub(super) fn read(style: &str) -> Visibility {
    let mut seen = Visibility::default();
    let (mut zero_height, mut clipped) = (false, false);
    for declaration in style.split(';') {
        let Some((name, value)) = declaration.split_once(':') else {
            continue;
        };
        let name = name.trim();
        let value = value.trim();
        let value = value.split_once('!').map_or(value, |(value, _)| value.trim_end());
        let is = |wanted: &str| value.eq_ignore_ascii_case(wanted);
        if name.eq_ignore_ascii_case("display") {
            seen.hidden |= is("none");
        } else if name.eq_ignore_ascii_case("visibility") {
            seen.hidden |= is("hidden") || is("collapse");
        } else if name.eq_ignore_ascii_case("mso-hide") {
            seen.hidden |= is("all");
        } else if name.eq_ignore_ascii_case("opacity") {
            seen.hidden |= is_zero(value);
        } else if name.eq_ignore_ascii_case("font-size") {
            seen.tiny = Some(is_zero(value));
        } else if name.eq_ignore_ascii_case("max-height") || name.eq_ignore_ascii_case("height") {
            zero_height |= is_zero(value);
        } else if name.eq_ignore_ascii_case("overflow") {
            clipped |= is("hidden");
        }
    }
    seen.hidden |= zero_height && clipped;
    seen
}

/// `0`, `0px`, `0.0em` …
pub(super) fn is_zero(value: &str) -> bool {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%' || c == ' ');
    !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::{is_zero, read};

    #[test]
    fn preheader_styles_hide() {
        for style in [
            "display:none",
            "DISPLAY : none !important;color:red",
            "max-height:0px;overflow:hidden",
            "mso-hide:all",
            "opacity:0",
            "visibility:hidden",
        ] {
            assert!(read(style).hidden, "{style}");
        }
        for style in [
            "display:block",
            "max-height:0",
            "opacity:0.9",
            "height:10px;overflow:hidden",
            "border:none",
        ] {
            assert!(!read(style).hidden, "{style}");
        }
        assert_eq!(read("font-size:0").tiny, Some(true));
        assert_eq!(read("font-size:0.8em").tiny, Some(false));
        assert!(
            is_zero("0px")
                && is_zero("0")
                && is_zero("0.0 em")
                && !is_zero("")
                && !is_zero("px")
                && !is_zero("10px")
        );
    }
}
