//! Which protocol a key pair speaks: what tokens are made and opened with, of either kind.

use super::Version;
use crate::crypto::key_pair::{self, KeyError, PublicKey, SecretKey, TokenKey};
use crate::crypto::random::RandomError;
use crate::v1;
use subtle::ConstantTimeEq;

/// What tokens are made and opened with: the secret half of a key pair, whose kind is the protocol.
#[derive(Clone, Debug)]
pub enum PairKey {
    /// A pair of the original, which speaks CUTE 1.00.
    V1(Box<v1::token::TokenKey>),
    /// A pair of CUTE 2.00.
    V2(Box<TokenKey>),
}

impl From<TokenKey> for PairKey {
    fn from(key: TokenKey) -> PairKey {
        PairKey::V2(Box::new(key))
    }
}

impl PairKey {
    /// Finds out which kind of pair `secret` is of, by its public half.
    pub fn new(secret: &SecretKey) -> Result<PairKey, KeyError> {
        if bool::from(secret.0.ct_eq(&[0; 64])) {
            return Err(KeyError::NotSet);
        }
        match TokenKey::new(secret) {
            Ok(key) => Ok(PairKey::from(key)),
            Err(_) => v1::token::TokenKey::new(secret).map(|key| PairKey::V1(Box::new(key))),
        }
    }

    /// [`new`](Self::new), also checking that `public` is the other half.
    pub fn for_pair(public: &PublicKey, secret: &SecretKey) -> Result<PairKey, KeyError> {
        let key = PairKey::new(secret)?;
        // Either kind keeps its public half at the end of its secret one.
        let belongs = secret.0.last_chunk().is_some_and(|half| public.0 == *half);
        if belongs { Ok(key) } else { Err(KeyError::WrongPublicKey) }
    }
}

/// Makes a key pair of this protocol from the operating system's random bytes.
pub fn generate_pair(version: Version) -> Result<(PublicKey, SecretKey), RandomError> {
    match version {
        Version::V1 => v1::signature::generate(),
        Version::V2 => key_pair::generate(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_two_pairs_are_refused_in_both_protocols() {
        let pairs = [key_pair::from_seed([1; 32]), v1::signature::from_seed(&[1; 32])];
        let others = [key_pair::from_seed([2; 32]), v1::signature::from_seed(&[2; 32])];
        for ((public, secret), (other, _)) in pairs.into_iter().zip(others) {
            assert!(PairKey::for_pair(&public, &secret).is_ok());
            assert_eq!(PairKey::for_pair(&other, &secret).unwrap_err(), KeyError::WrongPublicKey);
        }
    }
}
