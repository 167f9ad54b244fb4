//! Proactive negotiation (RFC 9110 §12): chooses the content coding and the media type of a response.
//!
//! If no offer is acceptable, the result is `None`; the caller may send its default anyway (§12.4.1).

use super::coding::Coding;
use super::fields::Fields;
use super::parameters;
use super::syntax::trim_whitespace;

/// A quality value in thousandths; 0 means "not acceptable" (RFC 9110 §12.4.2).
type Weight = u16;

const FULL_WEIGHT: Weight = 1000;

/// The specificity of a media range with type and subtype; wildcards have less.
const TYPE_AND_SUBTYPE: u8 = 3;

/// The media types of the pages that the server generates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaType {
    Html,
    Json,
    Plain,
}

impl MediaType {
    /// The value of `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Plain => "text/plain; charset=utf-8",
        }
    }

    /// The type and the subtype.
    const fn names(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Html => (b"text", b"html"),
            Self::Json => (b"application", b"json"),
            Self::Plain => (b"text", b"plain"),
        }
    }
}

/// Chooses a content coding by the request's `Accept-Encoding` (RFC 9110 §12.5.3). `available` are the
/// codings of the representation in the server's order of preference.
///
/// Identity is always available and need not be listed; among equal weights it comes last. It is also
/// chosen for a request without the field. `None` means that the client refuses identity too.
#[must_use]
pub fn choose_coding(fields: &Fields<'_>, available: &[Coding]) -> Option<Coding> {
    if fields.first("Accept-Encoding").is_none() {
        return Some(Coding::Identity);
    }
    let accepted = AcceptedCodings::read(fields);
    let offers = available.iter().copied().chain([Coding::Identity]);
    let best = heaviest(offers, |coding| accepted.weight(coding).unwrap_or(0));
    // Identity is acceptable unless the field excludes it.
    best.or_else(|| accepted.weight(Coding::Identity).is_none().then_some(Coding::Identity))
}

/// The weights in `Accept-Encoding`; `None` for a coding that it does not name.
#[derive(Default)]
struct AcceptedCodings {
    identity: Option<Weight>,
    gzip: Option<Weight>,
    brotli: Option<Weight>,
    zstd: Option<Weight>,
    /// `*`: the codings that are not named.
    others: Option<Weight>,
}

impl AcceptedCodings {
    fn read(fields: &Fields<'_>) -> Self {
        let mut this = Self::default();
        for member in members(fields, "Accept-Encoding") {
            let is = |token: &str| member.name.eq_ignore_ascii_case(token.as_bytes());
            let slot = if is("gzip") || is("x-gzip") {
                // The two names are equivalent (RFC 9110 §8.4.1.3).
                &mut this.gzip
            } else if is("br") {
                &mut this.brotli
            } else if is("zstd") {
                &mut this.zstd
            } else if is("identity") {
                &mut this.identity
            } else if is("*") {
                &mut this.others
            } else {
                continue;
            };
            *slot = (*slot).max(Some(member.weight));
        }
        this
    }

    fn weight(&self, coding: Coding) -> Option<Weight> {
        let named = match coding {
            Coding::Identity => self.identity,
            Coding::Gzip => self.gzip,
            Coding::Brotli => self.brotli,
            Coding::Zstd => self.zstd,
        };
        named.or(self.others)
    }
}

/// Chooses a media type by the request's `Accept` (RFC 9110 §12.5.1). `offers` are in the server's order
/// of preference.
///
/// The weight of an offer is that of the most specific media range that matches it. Among equal weights a type
/// that the client names precedes one that only matches a wildcard: scripts that expect JSON send
/// `application/json, text/plain, */*`. Without a valid media range in the request, the first offer is chosen.
#[must_use]
pub fn choose_media_type(fields: &Fields<'_>, offers: &[MediaType]) -> Option<MediaType> {
    let weight_of = |offer| match most_specific_range(fields, offer) {
        Some((specificity, weight)) if weight > 0 => (weight, specificity.min(TYPE_AND_SUBTYPE)),
        _ => (0, 0),
    };
    let has_ranges = members(fields, "Accept").any(|member| member.media_range().is_some());
    if has_ranges { heaviest(offers.iter().copied(), weight_of) } else { offers.first().copied() }
}

/// Whether the request's `Accept` names this media type itself as acceptable. Browsers do so with `text/html`
/// when they open a page, and not when they load its parts or when a script asks.
#[must_use]
pub fn names_media_type(fields: &Fields<'_>, offer: MediaType) -> bool {
    most_specific_range(fields, offer)
        .is_some_and(|(specificity, weight)| specificity >= TYPE_AND_SUBTYPE && weight > 0)
}

/// The specificity and the weight of the most specific media range that matches the offer.
fn most_specific_range(fields: &Fields<'_>, offer: MediaType) -> Option<(u8, Weight)> {
    members(fields, "Accept")
        .filter_map(|member| Some((member.specificity(offer)?, member.weight)))
        .max()
}

/// The offer with the greatest weight, the first of equal ones; `None` if all weights are 0.
fn heaviest<T: Copy, W: Default + Ord>(
    offers: impl Iterator<Item = T>,
    weight_of: impl Fn(T) -> W,
) -> Option<T> {
    let weighed =
        offers.map(|offer| (weight_of(offer), offer)).filter(|(weight, _)| *weight > W::default());
    weighed.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, offer)| offer)
}

/// One member of a weighted list: `name;parameter=value;q=0.5`.
struct Member<'a> {
    name: &'a [u8],
    /// The whole member, with name and weight.
    text: &'a [u8],
    weight: Weight,
}

/// The members of all fields with this name. A member with a malformed weight is ignored.
fn members<'a>(fields: &Fields<'a>, name: &str) -> impl Iterator<Item = Member<'a>> {
    fields.all(name).flat_map(|value| parameters::split(value, b',')).filter_map(Member::parse)
}

impl<'a> Member<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let name = trim_whitespace(text.split(|byte| *byte == b';').next()?);
        let weight = parameters::split(text, b';')
            .filter_map(parameters::name_and_value)
            .find(|(name, _)| name.eq_ignore_ascii_case(b"q"))
            .map_or(Some(FULL_WEIGHT), |(_, value)| parse_weight(value))?;
        Some(Self { name, text, weight })
    }

    /// The type and subtype of a media range; `*` stands for any.
    fn media_range(&self) -> Option<(&'a [u8], &'a [u8])> {
        let slash = self.name.iter().position(|byte| *byte == b'/')?;
        let (kind, subtype) = (&self.name[..slash], &self.name[slash + 1..]);
        let is_valid = !kind.is_empty() && !subtype.is_empty() && (kind != b"*" || subtype == b"*");
        is_valid.then_some((kind, subtype))
    }

    /// How specific the media range is: 1 for `*/*`, 2 for `type/*`, [`TYPE_AND_SUBTYPE`], and one more with
    /// our charset. `None` if the range does not match the offer.
    fn specificity(&self, offer: MediaType) -> Option<u8> {
        let (kind, subtype) = self.media_range()?;
        let (offered_kind, offered_subtype) = offer.names();
        let specificity = match (kind, subtype) {
            (b"*", _) => 1,
            (kind, b"*") if kind.eq_ignore_ascii_case(offered_kind) => 2,
            (kind, subtype)
                if kind.eq_ignore_ascii_case(offered_kind)
                    && subtype.eq_ignore_ascii_case(offered_subtype) =>
            {
                TYPE_AND_SUBTYPE
            }
            _ => return None,
        };
        // A range with parameters matches only types that have them; `charset` is our only one.
        let mut extra = 0;
        let parameters = parameters::split(self.text, b';').filter_map(parameters::name_and_value);
        for (name, value) in parameters.filter(|(name, _)| !name.eq_ignore_ascii_case(b"q")) {
            let is_ours = name.eq_ignore_ascii_case(b"charset")
                && parameters::unquote(value)?.eq_ignore_ascii_case(b"utf-8");
            if !is_ours {
                return None;
            }
            extra = 1;
        }
        Some(specificity + extra)
    }
}

/// Parses `0`, `1` or a fraction of at most three digits. The zero before the point is optional, because
/// Java's `HttpURLConnection` sends `q=.2`.
fn parse_weight(text: &[u8]) -> Option<Weight> {
    let (whole, fraction) = match text.iter().position(|byte| *byte == b'.') {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b""[..]),
    };
    let whole = match whole {
        b"0" => 0,
        b"" if !fraction.is_empty() => 0,
        b"1" => FULL_WEIGHT,
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let thousandths = fraction
        .iter()
        .zip([100, 10, 1])
        .map(|(digit, place)| Weight::from(digit - b'0') * place)
        .sum::<Weight>();
    (whole + thousandths <= FULL_WEIGHT).then_some(whole + thousandths)
}

#[cfg(test)]
mod tests;
