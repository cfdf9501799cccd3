//! The algorithms of transforms, by the words of the contract and of manifests.

use crate::words::words;

words! {
    /// A digest.
    Digest {
        /// SHA-256.
        Sha256 = "sha-256",
        /// SHA-384.
        Sha384 = "sha-384",
        /// SHA-512.
        Sha512 = "sha-512",
        /// SHA-1, which some Data Sources still ask for.
        Sha1 = "sha-1",
        /// MD5, which HTTP Digest (RFC 7616) still allows.
        Md5 = "md5",
    }
    /// A message authentication code (RFC 2104).
    Mac {
        /// HMAC with SHA-256.
        Sha256 = "hmac-sha-256",
        /// HMAC with SHA-512.
        Sha512 = "hmac-sha-512",
        /// HMAC with SHA-1.
        Sha1 = "hmac-sha-1",
    }
    /// A key made of a password (PBKDF2, RFC 8018).
    Stretch {
        /// With HMAC-SHA-256.
        Sha256 = "pbkdf2-sha-256",
        /// With HMAC-SHA-512.
        Sha512 = "pbkdf2-sha-512",
        /// With HMAC-SHA-1.
        Sha1 = "pbkdf2-sha-1",
    }
    /// An encryption to a key of the Data Source.
    Cipher {
        /// AES in CBC mode with PKCS #7 padding; the key has 16, 24 or 32 bytes, the IV 16. The IV is not part of the result.
        AesCbc = "aes-cbc",
        /// AES in GCM mode; the key has 16, 24 or 32 bytes, the nonce 12. The result is the ciphertext and, behind it, the tag.
        AesGcm = "aes-gcm",
        /// RSA with the padding of PKCS #1 v1.5.
        RsaPkcs1 = "rsa-pkcs1",
        /// RSA-OAEP with SHA-1 and MGF1 with SHA-1.
        RsaOaep = "rsa-oaep",
        /// RSA-OAEP with SHA-256 and MGF1 with SHA-256.
        RsaOaep256 = "rsa-oaep-256",
    }
    /// A signature with a key of the operator, by the names of JSON Web Algorithms (RFC 7518).
    Scheme {
        /// RSA PKCS #1 v1.5 with SHA-256.
        Rs256 = "rs256",
        /// RSA-PSS with SHA-256.
        Ps256 = "ps256",
        /// ECDSA on P-256 with SHA-256; the result is R and S, 32 bytes each.
        Es256 = "es256",
    }
}
