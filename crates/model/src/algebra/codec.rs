//! How summaries become bytes: little-endian base-128 integers, lengths before bytes, parts one after the other.
//!
//! Must hold: `decode(encode(x)) = x`, and `decode` refuses instead of panicking or allocating by an unchecked length.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A value that can be written to bytes and read back.
pub trait Codec: Sized {
    /// Appends the value to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Takes a value from the front of `input`; `None` when there is none.
    fn decode(input: &mut &[u8]) -> Option<Self>;

    /// The value as bytes.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }

    /// The value that is exactly these bytes.
    #[must_use]
    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        Self::decode(&mut bytes).filter(|_| bytes.is_empty())
    }
}

impl Codec for u128 {
    #[allow(clippy::cast_possible_truncation)] // seven bits are left after the mask
    fn encode(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let (&byte, rest) = input.split_first()?;
            *input = rest;
            let bits = u128::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None; // more than 128 bits
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Codec for i128 {
    fn encode(&self, out: &mut Vec<u8>) {
        // Zigzag: small magnitudes of either sign are short.
        ((self << 1) ^ (self >> 127)).cast_unsigned().encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let zigzag = u128::decode(input)?;
        Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}

macro_rules! integers {
    ($wide:ty: $($narrow:ty),*) => {$(
        impl Codec for $narrow {
            fn encode(&self, out: &mut Vec<u8>) {
                <$wide>::from(*self).encode(out);
            }
            fn decode(input: &mut &[u8]) -> Option<Self> {
                Self::try_from(<$wide>::decode(input)?).ok()
            }
        }
    )*};
}
integers!(u128: u8, u16, u32, u64);
integers!(i128: i8, i16, i32, i64);

impl Codec for usize {
    fn encode(&self, out: &mut Vec<u8>) {
        (*self as u128).encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        Self::try_from(u128::decode(input)?).ok()
    }
}

impl Codec for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        u8::from(*self).encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        match u8::decode(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Codec for () {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl<T: Codec> Codec for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        match bool::decode(input)? {
            false => Some(None),
            true => T::decode(input).map(Some),
        }
    }
}

/// Takes `length` bytes.
fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

impl Codec for String {
    fn encode(&self, out: &mut Vec<u8>) {
        self.len().encode(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let length = usize::decode(input)?;
        String::from_utf8(take(input, length)?.to_vec()).ok()
    }
}

impl Codec for Arc<str> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.len().encode(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        let length = usize::decode(input)?;
        std::str::from_utf8(take(input, length)?).ok().map(Self::from)
    }
}

impl Codec for uuid::Uuid {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        Self::from_slice(take(input, 16)?).ok()
    }
}

impl Codec for gesta_store::Position {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        u64::decode(input).map(Self)
    }
}

impl Codec for gesta_store::Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        i64::decode(input).map(Self)
    }
}

/// Takes a length and as many items; grows as they come, so that a wrong length costs nothing.
fn items<T: Codec, C: Default + Extend<T>>(input: &mut &[u8]) -> Option<C> {
    let length = usize::decode(input)?;
    let mut all = C::default();
    for _ in 0..length {
        if input.is_empty() && size_of::<T>() > 0 {
            return None;
        }
        all.extend([T::decode(input)?]);
    }
    Some(all)
}

impl<T: Codec> Codec for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.len().encode(out);
        self.iter().for_each(|item| item.encode(out));
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        items(input)
    }
}

impl<T: Codec + Ord> Codec for BTreeSet<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.len().encode(out);
        self.iter().for_each(|item| item.encode(out));
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        items(input)
    }
}

impl<K: Codec + Ord, V: Codec> Codec for BTreeMap<K, V> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.len().encode(out);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(input: &mut &[u8]) -> Option<Self> {
        items::<(K, V), Self>(input)
    }
}

macro_rules! tuples {
    ($($part:ident $index:tt),+) => {
        impl<$($part: Codec),+> Codec for ($($part,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)+
            }
            fn decode(input: &mut &[u8]) -> Option<Self> {
                Some(($($part::decode(input)?,)+))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
