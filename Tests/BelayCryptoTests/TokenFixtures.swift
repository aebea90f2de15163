import BelayBytes

// Signatures of `header.payload`, made with Python's cryptography 48; the private keys are gone.

enum TokenFixtures {
    static let rsa = """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuBz60o6WvgqzpeNvaOyz
        4YWPw3UpAQRd5aGVktiEwJzy2hoXjBs8kK3pH7HFeW3m7G+C3GD3Xno8Svq+yACG
        UBemlH/u4TDpXKi7Ql/Jzfo58smrx9vUnnb+1/WFYnf0o7+q5XOtUeHC0TJ9YiV5
        aCccEOO1P4kurknLUrAC9HUfEk/MdD8vxtRRch9085c0EYKGNxxv5bszeNSlnQOg
        RvcbhbdNw24bwWD/24F4AeGs1I2MCDWCJFdyDP7iXLc/2sZXLcUGdCG12qa4h7oC
        MQCEh0S8YgudsngmH2xUDiGg/IZJ7vlWBNr4zQBA+1JIQYXvP9afRf4rjxnQDj5y
        5wIDAQAB
        -----END PUBLIC KEY-----
        """

    static let smallRSA = """
        -----BEGIN PUBLIC KEY-----
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC29zXDhBfFfw0PsHzwgOM4KPc5
        0gL+4OCBjo9leZb3hgOzelbaJ+3Ad3okk0zDNJj4BqRF52SHPTdEJdFbptwGTiPY
        BqWijBbKRkGo8Lwd98OdD6C01vdO9JbusjWv9BqvOjatSFmwunbvvymf+0jwLS6W
        2YOfCBd024+uUBjt4wIDAQAB
        -----END PUBLIC KEY-----
        """

    static let p256 = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElkLT0kLg+QyyFXBhsTSKx5PHzua8
        X2VOBFuWFPsIihEQnYsFJKr+oKucRUuHrRjiEx8/J30Z1RinJCQOkluuOg==
        -----END PUBLIC KEY-----
        """

    static let p384 = """
        -----BEGIN PUBLIC KEY-----
        MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEMSl1UCaliO2v/d0PiyaFsHx19Jut0UAe
        lzpLRO/lpMuG0IPQWfhga/J0PrGmWwdJ0eQUdXC0lK3QSOD2X/sh6hhYPCss9biS
        O3gbF+gsVCrmOz0SPSX/lRf3Q/s4qJed
        -----END PUBLIC KEY-----
        """

    static let p521 = """
        -----BEGIN PUBLIC KEY-----
        MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBIeW2kEwkejpfDSE4PnwI3D2Qup/X
        1tuYpYbN8eaiGkNUgAnM4M/gzCbsENy5aSo41BTcsh/WKAJqGWJcy/wcVRYAPYXO
        k9WMnAXNg/vdrf0JnltZnaveYlmrdnkaPQtsQXJdBT4LS24r7GLGsYK9sz+rmDpW
        +EiXlAiuNFL9kShwyA8=
        -----END PUBLIC KEY-----
        """

    static let ed25519 = """
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEAg0H2Mwo/f8oHgHfqLRefaYWnU7LppPc9opLchgg16u4=
        -----END PUBLIC KEY-----
        """

    static let rs256 =
        "nn21hmZ957mnBaNYGIeAr_utb6Dc0yl_aN0xzvl5cdZ5WVA5pykM4Sglo0G3uPsjWIzN2O4sBPipIUOr"
        + "3lszwJIIxshfRqi50NVDMD4ptfPeP6ibO1pLVUNpSIEfgaez_c3A7T_OV_MbsUB3rAmS-7t5QEmuCpvM"
        + "ydgjxG83oBvqT2CtH-YEWZAQ4MLzFoBVWlxs5EMAp4UzXD486Q1x4crG_xtW5EEjIHmGZadptlqq0sZW"
        + "a2jtPv1Abuf_klgHhMhtDcJ1FABkab_eQTBDv5IiTNa1qziMwYZalD9LmduuDVPa2heR2bDQmUigQWED"
        + "sZSRMhRfpUgpfeMPx7VBBw"

    static let ps256 =
        "db24P9nUf6OZVjfwj21rI9-M8yVOGBAPCtMX_WAwfIWKhGbkgkNRHsF2VCrM_mH0i8zkGEynaCvwgXTq"
        + "lnLOAgQ6FEVipKg1YHGK1_Zx8GWKhyZlKXNqGEF2J0VHnzjRN80wPwngS_ItVXj1g_TuV5ajM7qmf7eH"
        + "DSy4XLifeZv7LV60W8Jh4Jjydm6DtJsHsNW86vyEpC6fKDCCbWQJ6vG944fV5d5dilCHNadPB7f6eTsi"
        + "iOJYYMrvavzXIr1AaCr3Nwu-yPkJYKxo77FNlt7t--G_EMhBG7PQ1kQki2iibxlxZAdOwitLvCNnlRWh"
        + "NwXwHFX0d_0JYUJj9gfd8g"

    static let rs384 =
        "XQcYMYneYUPxeyEVUviV_ElTZE_CiVhHnccLEGYu2WRq-TPGpdGZbziouNuU4a6fOFLFxJep5BvlkCyF"
        + "RZsN2HoqnHPBIb0QkIxZLV_20ghi4oTofgVEYz7v5tbsgaK_k16ZSKsze_IRtZVnSDgIUF398YZfjjcB"
        + "O7oxAecxQVLxevCU-Kxxp_r8QyYHD-3sLnlI46UVtQ2awl1mElnvWRcD_2nuPzFUhQFA7SGqv4lSLbCO"
        + "WPxLp_QGLCMtiGIXw06BosfdKqY0YUYokM3C2kUIsthA_VLrLRuz2E97kKwtXfYqpDd6hdcwkD-Eiunv"
        + "4w_nbK5JUnh4aNWwU9i4aw"

    static let ps384 =
        "L-NbscculIZ8D4ygu-knKaEmPeA9Z0kXXeIuG99NoTZqwYZJGeTeW4G_yySe2hLNrrLzLDVy3j_FPDnv"
        + "940m26D0XAZyjPIJsJOg8HwQgcO99_l7wqGZNT7EriLmHhtcnxBXyCq57UZgiEHPtdQfMu1CHVipNDnU"
        + "GTIei-3NRG139JDJ2jafFJd5MEi4A-MQbxyeCpAy1tzAXrm3uaC_tpkT9NiDzEtuau8OAp6jKXYf0r0H"
        + "iieHkz9zzQI5I5rI6vENxTg1u0R7iVdnWNETgrs9hw9AoriIQfrj9IHYC30oAa8Ac0ul2j-p-agGjUrp"
        + "em_YJLobcFnNz_sU6hEilg"

    static let rs512 =
        "BQ9HxAPbCcQ_GHEvANzQn8i6j13ee-qMRURB-6dqsq6sN9z26Nz7GzdExI0og8nz8Vpq5my1GzEqjo5E"
        + "ksWi5gJoqqKIIBAawimhlPES9LKJ8KJg-5o2zkkdLIjzxlsFFYkwHOUvib5VFWGQklw5nwDKHepxpzjS"
        + "2LzksZ95GeG1UyzWhcJCPSq0-V16xVsbfYWDobRt4cI_2rjzntkw9Wkbpe5Dfhplotv2dqZuuf6hBXr2"
        + "jhGlThb97TwfwhT_iwDHY1tFW_wbRCbx3cS6ClbvGmWNvyd8583b9soRi4NCEn07mB6QEhgywa2HWMB_"
        + "dzOtxIbQ5ipE-NMZGZX5Jw"

    static let ps512 =
        "PtUf99a0VDaOai0j7UWbdP5v_xvIiPtjTsb48Nk_HRppJi7kyyAhjlOO3TqnthCh9mlkFN0CY1Vtn1Yo"
        + "Mq10HQIkQnwYvtCqj9nIcNZdtVVVtqktMegTOfuggHnOe1uHMmMMg_hPbpOjjEkhguZEJ_VldpPQPOG4"
        + "5iSM7-oWKImLRp3n_lTZsfeV8mrqJQAzy9hSmXtWUbM1Y7uKIUruXdt9EWjNUoMDe0lMbC9GpPtzbwgj"
        + "9Z4f5atjenNG72yYKrVATWzKT6R-SnPekU9Ne0-gfUDl3wAbJ3EvILgp7Q9b4OaAQ8EJ6uPCfdxvWigp"
        + "YzUghLia1Lqe4pa-ZLVOPQ"

    static let es256 =
        "AMGlifDLtRKYzkQgEa-pfiN8cDZr15blqBPy8ohlD9QH_i7IL0_6yWM3rzHIOqcwoex9PmUhHUcY-sdV"
        + "FrnE6A"

    static let es384 =
        "AK6Ivl-y8CmaDSxabxcB4X6zV4qEmEjqqOmHVHcnNAwqQOUW4-atW0tifVf5EBAS7cjlUC3diennzHb6"
        + "97FDfMXKg4kE6bokcxSj4REEO6StBpSKBNj78WGXWcbdoBD5"

    static let es512 =
        "AS3TIz-gfPeg-H0QAzm2DpcQZgO2CT8is_sG9Rq3QEXRTZINAAQNOCUySfPiJyRistLT3PhcTXms2zLR"
        + "Y13YWCDgAH8i7t4F_WcpfHjXJcPdvEkvRKWkP5SZ5yvqmKyelsRYdGjVjfT-f9E7bJRMU4vTD2YdHxl7"
        + "NifrYqQZC-df2ARK"

    static let edDSA =
        "C6jprUlYEpXlBPpoYUhuDWY1YkbzNg3S0j-GrM4YZyE3JHXqyhVIkshdVgWLIwBuMwd-zmcopJfLUQog"
        + "z-TvBg"

    /// The one of ES256 in DER, as TLS has it.
    static let es256InDER =
        "MEQCIADBpYnwy7USmM5EIBGvqX4jfHA2a9eW5agT8vKIZQ_UAiAH_i7IL0_6yWM3rzHIOqcwoex9PmUh"
        + "HUcY-sdVFrnE6A"

    /// PS256 with a salt that is not as long as the digest.
    static let ps256WithoutSalt =
        "sMvMTZsQ-CONT6RdaDOnF9VAgx9f0OohGwu5Chb90DTBbRLWDs_al8Uu57agHOLfVH2npgbh0DO2lNUP"
        + "O2Fc6zRdHx9V-Xm8odAXsSQ6kTVLYJ20KHaK8Vp-t0tazNo75VPP85c2f4pC4sDIAAEGtsJRyDy5xwdk"
        + "1Y7MLq1qCQLC0YiWZjhknYfGuMmzexPQuYMvTHDA7VVnpTK10CAYhGSSkaWzc-TRNMh5jGbZmlvv7TTg"
        + "Dn5kumZilWS2F5zVZPs5_C43fR8let4Si0-aOeASmuDEqZUNIahD2gOqkdqGjoHKhIbvqnDbbEnZEq-F"
        + "VVL5VeZW6IDhlpJxB4olHQ"
}

func decoded(base64URL text: String) -> [UInt8] {
    let count = text.utf8.count
    var bytes = [UInt8](repeating: 0, count: count / 4 * 3 + [0, 0, 1, 2][count % 4])
    var span = bytes.mutableSpan
    precondition(Base64URL.decode(Array(text.utf8).span, into: &span), "no base64url")
    return bytes
}
