// What Belay's own answers say to people, for each status that it sends. Another status gets the
// words of its class.

/// The reason phrase of RFC 9110 §15, and the title of the problem.
package func reasonPhrase(ofStatus status: UInt16) -> StaticString {
    switch status {
    case 400: "Bad Request"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 411: "Length Required"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 417: "Expectation Failed"
    case 421: "Misdirected Request"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 400..<500: "Client Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: "Internal Server Error"
    }
}

/// What happened, for someone who only wanted to see a page.
func headline(ofStatus status: UInt16) -> StaticString {
    switch status {
    case 400: "That request could not be understood"
    case 403: "This is not open to you"
    case 404: "There is nothing here"
    case 405: "That cannot be done here"
    case 408: "Your request took too long to arrive"
    case 411: "Your request did not say how long it is"
    case 413: "What you sent is too large"
    case 414: "That address is too long"
    case 417: "Your program asked for something unknown"
    case 421: "This is the wrong door"
    case 429: "That was a little too fast"
    case 431: "Your browser sent too much about itself"
    case 400..<500: "That request cannot be answered"
    case 501: "That is not possible here"
    case 502: "The site did not give a proper answer"
    case 503: "The site cannot answer right now"
    case 504: "The site took too long to answer"
    case 505: "Your program speaks another version of the web"
    default: "Something went wrong here"
    }
}

/// What that person may do.
func advice(ofStatus status: UInt16) -> StaticString {
    switch status {
    case 400: "Reload the page. If that does not help, delete the cookies of this site."
    case 403: "If you think it should be, ask the people who run this site."
    case 404: "Check the address for a typing mistake, or start from the home page."
    case 405, 501: "Go back and try another way."
    case 408: "Check your connection, then try again."
    case 411: "Try again with another program."
    case 413: "Try again with a smaller file."
    case 414: "Start from the home page."
    case 417, 505: "Try a current browser."
    case 421: "Reload the page. If that does not help, close the browser and try again."
    case 429: "Wait a moment, then try again."
    case 431: "Delete the cookies of this site, then try again."
    case 400..<500: "Go back and try again."
    default: "It is not your fault. Try again in a minute."
    }
}
