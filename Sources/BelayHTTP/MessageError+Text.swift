extension MessageError {
    /// As it stands in logs and metrics.
    package var name: StaticString { self.texts.name }

    /// As it stands in the body of an answer.
    package var sentence: StaticString { self.texts.sentence }

    /// The status that a request with this fault is answered with. A response with it becomes a
    /// 502 whatever stands here.
    package var status: UInt16 {
        switch self {
        case .targetTooLong: 414
        case .headTooLarge, .tooManyFields, .trailerTooLarge: 431
        case .bodyTooLarge: 413
        case .badExpectation: 417
        case .unsupportedTransferCoding: 501
        case .unsupportedVersion: 505
        case .bareLineFeed, .bareCarriageReturn, .leadingWhitespace, .badMethod, .badTarget,
            .badVersion, .badRequestLine, .badFieldName, .spaceBeforeColon, .noColon,
            .badFieldValue, .obsoleteFold, .repeatedField, .missingHost, .severalHosts, .badHost,
            .badContentLength, .severalContentLengths, .lengthAndTransferEncoding,
            .badTransferEncoding, .severalTransferEncodings, .transferEncodingInOldVersion,
            .bodyNotAllowed, .badConnection, .badUpgrade, .badChunkSize, .badChunkExtension,
            .badChunkEnd, .chunkTooLarge, .badTrailer, .unexpectedEnd, .badStatusLine, .badStatus:
            400
        }
    }

    private var texts: (name: StaticString, sentence: StaticString) {
        switch self {
        case .bareLineFeed:
            ("bare-line-feed", "A line ends in LF without CR.")
        case .bareCarriageReturn:
            ("bare-carriage-return", "A CR stands without its LF.")
        case .headTooLarge:
            ("head-too-large", "The header fields are larger than allowed.")
        case .tooManyFields:
            ("too-many-fields", "There are more header fields than allowed.")
        case .leadingWhitespace:
            ("leading-whitespace", "White space or empty lines stand before the message.")
        case .badMethod:
            ("bad-method", "The method is not one.")
        case .badTarget:
            ("bad-target", "The request target is not valid.")
        case .badVersion:
            ("bad-version", "The protocol version is not written as HTTP/1.1.")
        case .unsupportedVersion:
            ("unsupported-version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        case .badRequestLine:
            ("bad-request-line", "The request line is not method, target and version.")
        case .targetTooLong:
            ("target-too-long", "The request target is longer than allowed.")
        case .badFieldName:
            ("bad-field-name", "The name of a header field is not valid.")
        case .spaceBeforeColon:
            ("space-before-colon", "White space stands before the colon of a header field.")
        case .noColon:
            ("no-colon", "A header field has no colon.")
        case .badFieldValue:
            ("bad-field-value", "The value of a header field holds a control character.")
        case .obsoleteFold:
            ("obsolete-fold", "A header field goes on in the next line.")
        case .repeatedField:
            ("repeated-field", "A header field that may be sent once was sent again.")
        case .missingHost:
            ("missing-host", "The Host field is missing.")
        case .severalHosts:
            ("several-hosts", "There is more than one Host field.")
        case .badHost:
            ("bad-host", "The Host field is not valid, or is not the host of the target.")
        case .badContentLength, .severalContentLengths, .lengthAndTransferEncoding,
            .badTransferEncoding, .severalTransferEncodings, .transferEncodingInOldVersion,
            .unsupportedTransferCoding, .bodyNotAllowed, .badConnection, .badExpectation,
            .badUpgrade, .badChunkSize, .badChunkExtension, .badChunkEnd, .chunkTooLarge,
            .badTrailer, .trailerTooLarge, .bodyTooLarge, .unexpectedEnd, .badStatusLine,
            .badStatus:
            self.otherTexts
        }
    }

    private var otherTexts: (name: StaticString, sentence: StaticString) {
        switch self {
        case .badContentLength:
            ("bad-content-length", "Content-Length is not a plain number.")
        case .severalContentLengths:
            ("several-content-lengths", "There is more than one Content-Length.")
        case .lengthAndTransferEncoding:
            ("length-and-transfer-encoding", "Both Content-Length and Transfer-Encoding are set.")
        case .badTransferEncoding:
            ("bad-transfer-encoding", "Transfer-Encoding is not exactly chunked.")
        case .severalTransferEncodings:
            ("several-transfer-encodings", "There is more than one Transfer-Encoding.")
        case .transferEncodingInOldVersion:
            ("transfer-encoding-in-old-version", "HTTP/1.0 has no Transfer-Encoding.")
        case .unsupportedTransferCoding:
            ("unsupported-transfer-coding", "The only transfer coding spoken here is chunked.")
        case .bodyNotAllowed:
            ("body-not-allowed", "A request with this method has no body.")
        case .badConnection:
            ("bad-connection", "The Connection field holds what it must not.")
        case .badExpectation:
            ("bad-expectation", "The only expectation that can be met is 100-continue.")
        case .badUpgrade:
            ("bad-upgrade", "The Upgrade field is not valid here.")
        case .badChunkSize:
            ("bad-chunk-size", "The size of a chunk is not a hexadecimal number.")
        case .badChunkExtension:
            ("bad-chunk-extension", "A chunk extension is not valid or too long.")
        case .badChunkEnd:
            ("bad-chunk-end", "A chunk does not end where its size says.")
        case .chunkTooLarge:
            ("chunk-too-large", "The size of a chunk is beyond all measure.")
        case .badTrailer:
            ("bad-trailer", "A trailer field is not valid.")
        case .trailerTooLarge:
            ("trailer-too-large", "The trailer fields are larger than allowed.")
        case .bodyTooLarge:
            ("body-too-large", "The body is larger than allowed.")
        case .unexpectedEnd:
            ("unexpected-end", "The connection closed before the message was complete.")
        case .badStatusLine:
            ("bad-status-line", "The status line is not version, status and reason.")
        case .badStatus:
            ("bad-status", "The status is not within 100...599.")
        case .bareLineFeed, .bareCarriageReturn, .headTooLarge, .tooManyFields,
            .leadingWhitespace, .badMethod, .badTarget, .badVersion, .unsupportedVersion,
            .badRequestLine, .targetTooLong, .badFieldName, .spaceBeforeColon, .noColon,
            .badFieldValue, .obsoleteFold, .repeatedField, .missingHost, .severalHosts, .badHost:
            self.texts
        }
    }
}
