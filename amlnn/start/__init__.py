"""The whole way from images to a tested classifier, in steps that one can take by hand."""
