# Every image, for `docker buildx bake`. `nox -s build-images` sets the variables.

# What the images stand on; a release names it by digest.
variable "BASE_IMAGE" {
  default = "python:3.13-slim-bookworm"
}

# The version of the repository.
variable "VERSION" {
  default = ""
}

# The commit that is built, in full.
variable "COMMIT" {
  default = ""
}

# Where the source lives, as an address.
variable "SOURCE" {
  default = ""
}

# The uv that uv.lock pins.
variable "UV_VERSION" {
  default = ""
}

# The sha256 of the exported model.
variable "MODEL_DIGEST" {
  default = ""
}

# The digest of the dataset that the model was trained on.
variable "DATASET_DIGEST" {
  default = ""
}

# The commit's time, which the image's record carries, so that two builds of one commit are the same.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

group "default" {
  targets = ["serving"]
}

target "serving" {
  context    = "."
  dockerfile = "docker/serving.Dockerfile"
  args = {
    BASE_IMAGE     = BASE_IMAGE
    VERSION        = VERSION
    COMMIT         = COMMIT
    SOURCE         = SOURCE
    UV_VERSION     = UV_VERSION
    MODEL_DIGEST   = MODEL_DIGEST
    DATASET_DIGEST = DATASET_DIGEST

    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
  tags = [
    "headgate-serving:${VERSION}",
    "headgate-serving:${VERSION}-${substr(COMMIT, 0, 12)}",
  ]
}
