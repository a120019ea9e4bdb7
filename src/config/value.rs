//! Values of the file that are texts with a form of their own, or one thing or several.
//! It never knows which key a value belongs to.

use core::fmt::{self, Display};
use core::marker::PhantomData;
use core::str::FromStr;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::names::rules::Wanted;

/// A text that is read by its `FromStr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text<T>(PhantomData<T>);

        impl<T: FromStr<Err: Display>> Visitor<'_> for Text<T> {
            type Value = Parsed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            // A mistake that is found in here is blamed on the value, not on the list around it.
            fn visit_str<E: Error>(self, text: &str) -> Result<Parsed<T>, E> {
                text.parse().map(Parsed).map_err(E::custom)
            }
        }

        from.deserialize_str(Text(PhantomData))
    }
}

impl<T: Display> Serialize for Parsed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// One text or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Many<T> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Display> Serialize for Many<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMore<T>(PhantomData<T>);

        impl<'de, T: FromStr<Err: Display>> Visitor<'de> for OneOrMore<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Many<T>, E> {
                let one = text.parse().map_err(E::custom)?;
                Ok(Many(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Many<T>, A::Error> {
                let all: Vec<Parsed<T>> = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Many(all.into_iter().map(|Parsed(one)| one).collect()))
            }
        }

        from.deserialize_any(OneOrMore(PhantomData))
    }
}

/// A number from `LOW` to `HIGH`.
pub(super) fn bounded<'de, D, N, const LOW: i64, const HIGH: i64>(
    from: D,
) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<i64>,
{
    struct Number<N, const LOW: i64, const HIGH: i64>(PhantomData<N>);

    impl<N: TryFrom<i64>, const LOW: i64, const HIGH: i64> Visitor<'_> for Number<N, LOW, HIGH> {
        type Value = N;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a number from {LOW} to {HIGH}")
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<N, E> {
            let within = (LOW..=HIGH).contains(&number);
            let fits = within.then(|| N::try_from(number).ok()).flatten();
            fits.ok_or_else(|| E::custom(format!("{number} is not within {LOW} to {HIGH}")))
        }
    }

    from.deserialize_i64(Number::<N, LOW, HIGH>(PhantomData))
        .map(Some)
}

/// `true`: the option must be there; `false`: it must not; a text or number: it must have this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedOption(pub Wanted);

impl<'de> Deserialize<'de> for WantedOption {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = WantedOption;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true (is there), false (is not there) or its value")
            }

            fn visit_bool<E>(self, there: bool) -> Result<WantedOption, E> {
                Ok(WantedOption(if there {
                    Wanted::Present
                } else {
                    Wanted::Absent
                }))
            }

            fn visit_i64<E>(self, value: i64) -> Result<WantedOption, E> {
                Ok(WantedOption(Wanted::Value(value.to_string().into())))
            }

            fn visit_str<E>(self, value: &str) -> Result<WantedOption, E> {
                Ok(WantedOption(Wanted::Value(value.into())))
            }
        }

        from.deserialize_any(Any)
    }
}

impl Serialize for WantedOption {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Wanted::Present => to.serialize_bool(true),
            Wanted::Absent => to.serialize_bool(false),
            Wanted::Value(value) => to.collect_str(value),
        }
    }
}

/// `true`, a text for the client, or a code and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deny {
    pub code: u16,
    pub text: Option<String>,
}

const ACCESS_VIOLATION: u16 = 2;

impl<'de> Deserialize<'de> for Deny {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            code: Option<u16>,
            text: Option<String>,
        }

        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Deny;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, a text, or { code = 2, text = \"…\" }")
            }

            fn visit_bool<E: Error>(self, yes: bool) -> Result<Deny, E> {
                if yes {
                    Ok(Deny {
                        code: ACCESS_VIOLATION,
                        text: None,
                    })
                } else {
                    Err(E::custom("`deny = false` does nothing; leave it out"))
                }
            }

            fn visit_str<E>(self, text: &str) -> Result<Deny, E> {
                let text = Some(text.to_owned());
                Ok(Deny {
                    code: ACCESS_VIOLATION,
                    text,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Deny, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let code = table.code.unwrap_or(ACCESS_VIOLATION);
                if code > 8 {
                    let text = "the codes of ERROR packets are 0 to 8 (RFC 1350, RFC 2347)";
                    return Err(A::Error::custom(text));
                }
                Ok(Deny {
                    code,
                    text: table.text,
                })
            }
        }

        from.deserialize_any(Any)
    }
}

impl Serialize for Deny {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut table = to.serialize_map(None)?;
        table.serialize_entry("code", &self.code)?;
        if let Some(text) = &self.text {
            table.serialize_entry("text", text)?;
        }
        table.end()
    }
}
