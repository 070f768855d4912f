//! The signatures of CUTE 1.00 (libhydrogen's `hydro_sign`): Schnorr over Curve25519 with u-coordinates
//! alone (Hamburg, "The STROBE protocol framework", 2017). They prove that a token comes from who holds the
//! secret key. They name nothing: whoever sees (R, s) can make (R, -s), which proves the same. A u-coordinate
//! stands for a point and its opposite, which is why verifying tries both.

use super::drbg;
use super::hash::{Context, Hasher};
use crate::crypto::Key;
use crate::crypto::key_pair::{KeyError, PublicKey, SecretKey};
use crate::crypto::random::{self, RandomError};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes of a signature: the u-coordinate R and the scalar s.
pub const SIGNATURE_SIZE: usize = 64;
/// Random bytes that go into a signature.
pub const RANDOM_SIZE: usize = 32;

/// The context of what happens inside the scheme.
const INNER: Context = [0; 8];

/// Makes a key pair of CUTE 1.00 from the operating system's random bytes.
pub fn generate() -> Result<(PublicKey, SecretKey), RandomError> {
    Ok(from_scalar(&Key::new(*Zeroizing::new(random::bytes()?))))
}

/// The key pair that `seed` makes.
pub fn from_seed(seed: &[u8; 32]) -> (PublicKey, SecretKey) {
    let mut scalar = Zeroizing::new([0; 32]);
    drbg::fill(seed, scalar.as_mut());
    from_scalar(&Key::new(*scalar))
}

/// The scalar is not clamped as X25519 does it, and not stored reduced.
fn from_scalar(scalar: &Key) -> (PublicKey, SecretKey) {
    let public =
        EdwardsPoint::mul_base(&Zeroizing::new(reduce(scalar.as_bytes()))).to_montgomery().to_bytes();
    let mut secret = SecretKey([0; 64]);
    for (to, from) in secret.0.iter_mut().zip(scalar.as_bytes().iter().chain(&public)) {
        *to = *from;
    }
    (PublicKey(public), secret)
}

/// The half of a pair that signs. Wiped when dropped.
#[derive(Clone)]
pub struct SigningKey {
    /// The scalar as the pair holds it, which also is a key of its own.
    bytes: Key,
    scalar: Zeroizing<Scalar>,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// Checks that the halves of `secret` belong together.
    pub fn new(secret: &SecretKey) -> Result<SigningKey, KeyError> {
        let (Some(bytes), Some(stored)) = (secret.0.first_chunk(), secret.0.last_chunk::<32>()) else {
            return Err(KeyError::NotAPair);
        };
        let scalar = Zeroizing::new(reduce(bytes));
        let point = EdwardsPoint::mul_base(&scalar);
        let public = point.to_montgomery().to_bytes();
        // The scalar zero has a public key too, under which every signature is as good as any other.
        if point.is_identity() || !bool::from(public.ct_eq(stored)) {
            return Err(KeyError::NotAPair);
        }
        Ok(SigningKey {
            bytes: Key::new(*bytes),
            scalar,
            verifying: VerifyingKey { bytes: public, point },
        })
    }

    /// The first 32 bytes of the secret key.
    pub fn as_key(&self) -> &Key {
        &self.bytes
    }

    /// The half that verifies.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Signs `message`. `random` makes every signature another one; should it ever repeat, two different
    /// messages still share nothing.
    pub fn sign(
        &self,
        context: &Context,
        message: &[u8],
        random: &[u8; RANDOM_SIZE],
    ) -> [u8; SIGNATURE_SIZE] {
        let prehash = prehash(context, message);
        let mut hasher = Hasher::new(&INNER, Some(self.bytes.as_bytes()));
        hasher.update(random);
        hasher.update(&prehash);
        let nonce = Zeroizing::new(reduce(&Zeroizing::new(hasher.finish())));
        let point = EdwardsPoint::mul_base(&nonce).to_montgomery().to_bytes();
        let challenge = challenge(&point, &self.verifying.bytes, &prehash);
        let product = Zeroizing::new(challenge * *self.scalar);
        let answer = (*nonce + *product).to_bytes();

        let mut signature = [0; SIGNATURE_SIZE];
        for (to, from) in signature.iter_mut().zip(point.iter().chain(&answer)) {
            *to = *from;
        }
        signature
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The half of a pair that verifies: a point of the prime-order group other than the identity.
#[derive(Clone, Debug)]
pub struct VerifyingKey {
    bytes: [u8; 32],
    /// One of the two points with this u-coordinate; which one makes no difference.
    point: EdwardsPoint,
}

impl VerifyingKey {
    /// Checks a public key from anywhere. `None` if no secret key belongs to it: it isn't reduced, it is on
    /// the twist, or its order isn't the group's, so that signatures could be made up for it.
    pub fn new(public: &PublicKey) -> Option<VerifyingKey> {
        let point = MontgomeryPoint(public.0).to_edwards(0)?;
        let canonical = point.to_montgomery().to_bytes() == public.0;
        (canonical && !point.is_small_order() && point.is_torsion_free())
            .then_some(VerifyingKey { bytes: public.0, point })
    }

    /// The public key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// True if who holds the secret key signed `message` in this context. All of it is public, so the time
    /// this takes may depend on it.
    #[must_use]
    pub fn verify(&self, context: &Context, message: &[u8], signature: &[u8; SIGNATURE_SIZE]) -> bool {
        let (Some(commitment), Some(answer)) = (signature.first_chunk::<32>(), signature.last_chunk())
        else {
            return false;
        };
        // Only the reduced form: what is larger by a multiple of the order would be a second signature.
        let Some(answer) = Option::<Scalar>::from(Scalar::from_canonical_bytes(*answer)) else {
            return false;
        };
        let challenge = challenge(commitment, &self.bytes, &prehash(context, message));
        if *commitment == [0; 32] || challenge == Scalar::ZERO {
            return false;
        }
        let base = EdwardsPoint::mul_base(&answer);
        let key = self.point * challenge;
        let is_committed = |point: EdwardsPoint| point.to_montgomery().to_bytes() == *commitment;
        is_committed(base - key) || is_committed(base + key)
    }
}

fn prehash(context: &Context, message: &[u8]) -> [u8; 64] {
    let mut hasher = Hasher::new(context, None);
    hasher.update(message);
    hasher.finish()
}

/// What the signer must answer, chosen by everything that must not change afterwards.
fn challenge(commitment: &[u8; 32], public: &[u8; 32], prehash: &[u8; 64]) -> Scalar {
    let mut hasher = Hasher::new(&INNER, None);
    hasher.update(commitment);
    hasher.update(public);
    hasher.update(prehash);
    reduce(&hasher.finish())
}

/// The little-endian integer modulo the order of the group.
fn reduce(bytes: &[u8; 32]) -> Scalar {
    Scalar::from_bytes_mod_order(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use proptest::prelude::*;

    const CONTEXT: Context = *b"CUTE_CTX";

    fn signing_key(seed: u8) -> SigningKey {
        SigningKey::new(&from_seed(&[seed; 32]).1).unwrap()
    }

    #[test]
    fn a_generated_pair_signs_and_is_unlike_any_other() {
        let (public, secret) = generate().unwrap();
        assert_ne!(generate().unwrap().0, public);
        let key = SigningKey::new(&secret).unwrap();
        assert_eq!(key.verifying_key().as_bytes(), &public.0);
        let signature = key.sign(&CONTEXT, b"message", &[7; 32]);
        assert!(VerifyingKey::new(&public).unwrap().verify(&CONTEXT, b"message", &signature));
        assert_eq!(format!("{key:?}"), "SigningKey(..)");
    }

    #[test]
    fn halves_that_do_not_belong_together_are_refused() {
        let (_, secret) = from_seed(&[1; 32]);
        for byte in [0, 31, 32, 63] {
            let mut damaged = secret.clone();
            damaged.0[byte] ^= 1;
            assert_eq!(SigningKey::new(&damaged).unwrap_err(), KeyError::NotAPair, "byte {byte}");
        }
    }

    #[test]
    fn the_scalar_zero_is_no_key_in_any_of_its_forms() {
        let mut order = [0; 32];
        order.copy_from_slice((Scalar::ZERO - Scalar::ONE).as_bytes());
        order[0] += 1;
        for scalar in [[0; 32], order] {
            let mut secret = SecretKey([0; 64]);
            secret.0[..32].copy_from_slice(&scalar);
            assert_eq!(SigningKey::new(&secret).unwrap_err(), KeyError::NotAPair);
        }
    }

    #[test]
    fn public_keys_that_no_secret_key_has_are_refused() {
        let torsion = EIGHT_TORSION.map(|point| point.to_montgomery().to_bytes());
        let honest = from_seed(&[1; 32]).0;
        let mixed = EIGHT_TORSION.map(|point| {
            let honest = MontgomeryPoint(honest.0).to_edwards(0).unwrap();
            (honest + point).to_montgomery().to_bytes()
        });
        for bytes in torsion.into_iter().chain(mixed).filter(|bytes| *bytes != honest.0) {
            assert!(VerifyingKey::new(&PublicKey(bytes)).is_none(), "{bytes:?}");
        }
        let mut high_bit = honest;
        high_bit.0[31] |= 0x80;
        assert!(VerifyingKey::new(&high_bit).is_none());
        let mut twist = [0; 32]; // u = 2
        twist[0] = 2;
        assert!(VerifyingKey::new(&PublicKey(twist)).is_none());
        for low in 0xED..=0xFF {
            let mut not_reduced = [0xFF; 32];
            not_reduced[0] = low;
            not_reduced[31] = 0x7F;
            assert!(VerifyingKey::new(&PublicKey(not_reduced)).is_none(), "{low}");
        }
        assert!(VerifyingKey::new(&honest).is_some());
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_noticed() {
        let key = signing_key(1);
        let signature = key.sign(&CONTEXT, b"message", &[7; 32]);
        let verifying = key.verifying_key();
        assert!(verifying.verify(&CONTEXT, b"message", &signature));
        for bit in 0..SIGNATURE_SIZE * 8 {
            let mut altered = signature;
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(!verifying.verify(&CONTEXT, b"message", &altered), "bit {bit}");
        }
        assert!(!verifying.verify(&CONTEXT, b"messagf", &signature));
        assert!(!verifying.verify(&CONTEXT, b"", &signature));
        assert!(!verifying.verify(b"cute_ctx", b"message", &signature));
        assert!(!verifying.verify(&CONTEXT, b"message", &[0; SIGNATURE_SIZE]));
        assert!(!signing_key(2).verifying_key().verify(&CONTEXT, b"message", &signature));
    }

    #[test]
    fn d27_a_signature_verifies_with_its_scalar_negated_and_in_no_other_form() {
        let key = signing_key(1);
        let signature = key.sign(&CONTEXT, b"message", &[7; 32]);
        let scalar = Scalar::from_canonical_bytes(*signature.last_chunk().unwrap()).unwrap();
        let with = |scalar: [u8; 32]| {
            let mut altered = signature;
            altered[32..].copy_from_slice(&scalar);
            key.verifying_key().verify(&CONTEXT, b"message", &altered)
        };
        assert!(with((-scalar).to_bytes()));
        // The order is one more than the largest scalar.
        let mut larger = scalar.to_bytes();
        let mut carry = 1;
        for (byte, order) in larger.iter_mut().zip((-Scalar::ONE).to_bytes()) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = sum as u8;
            carry = sum >> 8;
        }
        assert_eq!(Scalar::from_bytes_mod_order(larger), scalar);
        assert!(!with(larger));
    }

    #[test]
    fn other_random_bytes_give_another_signature() {
        let key = signing_key(1);
        let one = key.sign(&CONTEXT, b"message", &[7; 32]);
        assert_eq!(one, key.sign(&CONTEXT, b"message", &[7; 32]));
        assert_ne!(one[..32], key.sign(&CONTEXT, b"message", &[8; 32])[..32]);
        assert_ne!(one[..32], key.sign(&CONTEXT, b"massage", &[7; 32])[..32]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_signed_verifies(
            seed: [u8; 32],
            random: [u8; 32],
            message in prop::collection::vec(any::<u8>(), 0..1000),
        ) {
            let (public, secret) = from_seed(&seed);
            let signature = SigningKey::new(&secret).unwrap().sign(&CONTEXT, &message, &random);
            prop_assert!(VerifyingKey::new(&public).unwrap().verify(&CONTEXT, &message, &signature));
        }
    }
}
